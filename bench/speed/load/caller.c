#define _GNU_SOURCE
#include "caller.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "measure.h"

#define SOURCES 8 /* addresses of loopback to call from: the ports of one are soon used up */
#define MOST_UNSENT (1 << 20)

struct plan plan = {.callers = 16, .seconds = 3, .warm_up = 0.3};
struct tally tally;
struct caller *caller;
char *request[4096];
int length[4096], requests;

static int poller, timer, *is_free, free_callers;
static uint64_t *waiting, waiting_from, waiting_to; /* the open loop's requests that found nobody free */

void make_callers(void) {
  struct epoll_event tick = {.events = EPOLLIN};
  caller = calloc(plan.callers, sizeof *caller);
  is_free = calloc(plan.callers, sizeof *is_free);
  waiting = calloc(MOST_UNSENT, sizeof *waiting);
  poller = epoll_create1(EPOLL_CLOEXEC);
  timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (!caller || !is_free || !waiting || poller < 0 || timer < 0) die("start");
  if (epoll_ctl(poller, EPOLL_CTL_ADD, timer, &tick) < 0) die("epoll_ctl");
  for (int i = plan.callers; plan.rate > 0 && i--;) is_free[free_callers++] = i;
}

static void watch(struct caller *c, int how, uint32_t what) {
  struct epoll_event event = {.events = what, .data.ptr = c};
  if (epoll_ctl(poller, how, c->fd, &event) < 0) die("epoll_ctl");
}

static void hang_up(struct caller *c) {
  if (c->state != CLOSED) close(c->fd);
  c->state = CLOSED;
}

static int reach_tcp(struct caller *c) {
  static unsigned turn;
  int one = 1;
  struct sockaddr_in source = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + turn++ % SOURCES)};
  if ((c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) < 0) die("socket");
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  if (plan.each_connects && bind(c->fd, (void *)&source, sizeof source) < 0) die("bind");
  if (connect(c->fd, (void *)&plan.address, sizeof plan.address) < 0 && errno != EINPROGRESS) return -1;
  c->state = CONNECTING;
  watch(c, EPOLL_CTL_ADD, EPOLLOUT);
  return 0;
}

static int reach_unix(struct caller *c) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  struct timeval patience = {.tv_sec = 5}; /* a full queue makes connect wait, and nothing tells when it has room */
  strncpy(address.sun_path, plan.path, sizeof address.sun_path - 1);
  if ((c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0) die("socket");
  setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (connect(c->fd, (void *)&address, sizeof address) < 0) return -1;
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
  c->state = IDLE;
  watch(c, EPOLL_CTL_ADD, EPOLLIN);
  return 0;
}

static void finished(struct caller *c, int well);

static void send_request(struct caller *c) {
  int which = requests == 1 ? 0 : chance() % requests;
  c->state = WAITING, c->used = c->whole = 0;
  if (send(c->fd, request[which], length[which], MSG_NOSIGNAL) != length[which]) finished(c, 0);
}

void ask(struct caller *c, uint64_t since) {
  c->since = since;
  if (c->state == CLOSED && (plan.path ? reach_unix(c) : reach_tcp(c)) < 0) {
    close(c->fd);
    tally.errors++;
    if (plan.rate > 0) is_free[free_callers++] = c - caller; /* the closed loop tries again by itself */
  } else if (c->state == IDLE)
    send_request(c);
}

static void finished(struct caller *c, int well) {
  uint64_t at = now();
  if (!well)
    tally.errors++;
  else if (at >= tally.began)
    record(at - c->since), tally.requests++, tally.bytes += c->used;
  if (plan.each_connects || !well)
    hang_up(c);
  else
    c->state = IDLE;
  if (plan.idle) return;
  if (plan.rate > 0) {
    if (waiting_from != waiting_to)
      ask(c, waiting[waiting_from++ % MOST_UNSENT]);
    else
      is_free[free_callers++] = c - caller;
  } else if (well)
    ask(c, at);
}

/* Whether the answer is there as a whole; -1: it is none that counts. */
static int judge(struct caller *c) {
  char *end, *field;
  c->answer[c->used] = 0;
  if (plan.lines) return c->answer[c->used - 1] != '\n' ? 0 : strstr(c->answer, "\"ok\":true") ? 1 : -1;
  if (!c->whole) {
    if (!(end = memmem(c->answer, c->used, "\r\n\r\n", 4))) return 0;
    field = strcasestr(c->answer, "\r\ncontent-length:");
    if (strncmp(c->answer, "HTTP/1.1 200 ", 13) || !field || field > end) return -1;
    c->whole = end + 4 - c->answer + atoi(field + 17);
  }
  return c->used < c->whole ? 0 : c->used == c->whole ? 1 : -1;
}

static void hear(struct caller *c) {
  ssize_t got = recv(c->fd, c->answer + c->used, sizeof c->answer - 1 - c->used, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (c->state == IDLE) {
    hang_up(c); /* the server's right; the next request connects anew */
    return;
  }
  c->used += got > 0 ? got : 0;
  int verdict = got > 0 ? judge(c) : -1;
  if (verdict < 0 && tally.errors < 3) fprintf(stderr, "load: no whole 200 (%zd): %.200s\n", got, c->used ? c->answer : "");
  if (verdict) finished(c, verdict > 0);
}

static void connected(struct caller *c) {
  int trouble = 0;
  socklen_t size = sizeof trouble;
  getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &trouble, &size);
  if (trouble) {
    finished(c, 0);
    return;
  }
  watch(c, EPOLL_CTL_MOD, EPOLLIN);
  send_request(c);
}

void ask_any(uint64_t since) {
  if (free_callers)
    ask(&caller[is_free[--free_callers]], since);
  else if (unsent() < MOST_UNSENT)
    waiting[waiting_to++ % MOST_UNSENT] = since;
}

uint64_t unsent(void) { return waiting_to - waiting_from; }

void turn(uint64_t most) {
  struct epoll_event event[256];
  struct itimerspec when = {.it_value = {most / SECOND, most % SECOND + 1}};
  if (plan.rate > 0) timerfd_settime(timer, 0, &when, NULL); /* epoll_wait alone knows milliseconds only */
  int count = epoll_wait(poller, event, 256, plan.rate > 0 ? -1 : 50);
  for (int i = 0; i < count; i++) {
    struct caller *c = event[i].data.ptr;
    if (!c)
      (void)!read(timer, &(uint64_t){0}, 8);
    else if (c->state == CONNECTING)
      connected(c);
    else if (c->state != CLOSED)
      hear(c);
  }
}
