/* Callers: each has at most one connection and one request under way. */
#pragma once
#include <netinet/in.h>
#include <stdint.h>

enum state { CLOSED, CONNECTING, IDLE, WAITING };

struct caller {
  int fd, used, whole; /* bytes of the answer so far, and of all of it (0: not known yet) */
  enum state state;
  uint64_t since;
  char answer[16384];
};

struct plan {
  const char *path; /* of a Unix socket; NULL: the address */
  struct sockaddr_in address;
  int callers, each_connects, lines, idle;
  double rate, seconds, warm_up;
  uint64_t most;
};

struct tally {
  uint64_t began, requests, errors, bytes;
};

extern struct plan plan;
extern struct tally tally;
extern struct caller *caller;
extern char *request[4096];
extern int length[4096], requests;

/* Make them, all without a connection; with a rate, all free. */
void make_callers(void);

/* Have one ask, on a new connection if it has none; it is timed from `since`. */
void ask(struct caller *c, uint64_t since);

/* Have whoever is free ask, or the next that will be; it is timed from `since`. */
void ask_any(uint64_t since);

/* How many of the requests of `ask_any` found nobody free yet. */
uint64_t unsent(void);

/* Serve what happens, within so many nanoseconds at most. */
void turn(uint64_t most);
