/* A load generator for one Unix socket or loopback address: one thread, epoll, HTTP/1.1 or lines.
 *
 * - Closed loop: `-c` callers, each asks again as soon as it is answered; on one connection each, or with `-m conn` on
 *   a new one for each request. Open loop: `-r` requests a second at random moments, on `-c` connections, and each is
 *   timed from the moment at which it should have left, so that a server that stalls does not hide it.
 * - Requests come from stdin, several with a zero byte between them, to be sent in random order; the order of two runs
 *   is the same. An answer counts when it is a 200 with its whole body, and with `-l` when it is one whole line with
 *   `"ok":true` in it. Anything else is an error.
 * - The server's CPU time is read from the clock of its processes (`-P`), to the nanosecond.
 * - With `-i` each connection asks once and then stays open, idle, until SIGTERM.
 * - It ends with its parent, and by itself when nothing moves.
 *
 * What it measured goes to stdout, one JSON object a line; times are in microseconds.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "caller.h"
#include "measure.h"

#define PATIENCE 20 /* seconds beyond the planned end */

static volatile sig_atomic_t told_to_end;

static void run(const char *pids) {
  double cpu = 0, took;
  uint64_t start = now(), next = start, end;
  int warm = 0;
  tally.began = start + plan.warm_up * SECOND, end = tally.began + plan.seconds * SECOND;
  alarm(plan.warm_up + plan.seconds + PATIENCE);
  for (uint64_t at; (at = now()) < end && (!plan.most || tally.requests < plan.most); turn(next > at ? next - at : 0)) {
    if (!warm && at >= tally.began) warm = 1, tally.began = at, cpu = cpu_seconds(pids);
    for (int i = 0; plan.rate <= 0 && i < plan.callers; i++) /* at first all; later who was refused or hung up on */
      if (caller[i].state == CLOSED) ask(&caller[i], at);
    for (; plan.rate > 0 && next <= at; next += until_next(plan.rate)) ask_any(next);
  }
  took = (now() - tally.began) / 1e9;
  cpu = cpu_seconds(pids) - cpu;
  printf("{\"seconds\": %.4f, \"requests\": %lu, \"errors\": %lu, \"unsent\": %lu, \"per_second\": %.1f, \"p50\": %.1f, "
         "\"p99\": %.1f, \"p999\": %.1f, \"longest\": %.1f, \"cpu_seconds\": %.6f, \"answer_bytes\": %.1f}\n",
         took, tally.requests, tally.errors, unsent(), tally.requests / took, percentile(.5), percentile(.99),
         percentile(.999), percentile(1), cpu, tally.requests ? (double)tally.bytes / tally.requests : 0);
}

static void stop(int number) { (void)number, told_to_end = 1; }

static void say_open(const char *when) {
  int count = 0;
  for (int i = 0; i < plan.callers; i++) count += caller[i].state == IDLE;
  printf("{\"when\": \"%s\", \"open\": %d, \"errors\": %lu}\n", when, count, tally.errors);
  fflush(stdout);
}

static void stay_idle(void) {
  struct sigaction action = {.sa_handler = stop};
  sigaction(SIGTERM, &action, NULL);
  alarm(plan.seconds + PATIENCE);
  for (int i = 0; i < plan.callers; i++) {
    uint64_t until = now() + 5 * SECOND;
    ask(&caller[i], now());
    while ((caller[i].state == WAITING || caller[i].state == CONNECTING) && now() < until) turn(0);
  }
  say_open("asked");
  while (!told_to_end) turn(0);
  say_open("ended");
}

static void read_requests(void) {
  static char text[1 << 20];
  size_t size = fread(text, 1, sizeof text - 1, stdin);
  for (char *p = text; p < text + size && requests < 4096; p += strlen(p) + 1)
    if ((length[requests] = strlen(p))) request[requests++] = p;
  if (!requests) die("no request on stdin");
}

int main(int count, char **words) {
  const char *pids = NULL;
  struct rlimit files;
  char *colon;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  signal(SIGPIPE, SIG_IGN);
  for (int option; (option = getopt(count, words, "u:t:c:m:r:d:w:n:P:li")) != -1;) switch (option) {
      case 'u': plan.path = optarg; break;
      case 't':
        if (!(colon = strchr(optarg, ':'))) return 2;
        *colon = 0;
        plan.address.sin_family = AF_INET;
        plan.address.sin_port = htons(atoi(colon + 1));
        if (inet_pton(AF_INET, optarg, &plan.address.sin_addr) != 1) return 2;
        break;
      case 'c': plan.callers = atoi(optarg); break;
      case 'm': plan.each_connects = !strcmp(optarg, "conn"); break;
      case 'r': plan.rate = atof(optarg); break;
      case 'd': plan.seconds = atof(optarg); break;
      case 'w': plan.warm_up = atof(optarg); break;
      case 'n': plan.most = atoll(optarg); break;
      case 'P': pids = optarg; break;
      case 'l': plan.lines = 1; break;
      case 'i': plan.idle = 1; break;
      default: return 2;
    }
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  make_callers();
  read_requests();
  if (plan.idle)
    stay_idle();
  else
    run(pids);
  return 0;
}
