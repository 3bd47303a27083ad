/* Times are kept to 1.6 %: so many steps in each power of two. */
#include "measure.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STEPS 64

static uint64_t histogram[64 * STEPS], measured, longest;

void die(const char *what) {
  fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
  exit(2);
}

uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * SECOND + t.tv_nsec;
}

uint64_t chance(void) { /* xorshift */
  static uint64_t x = 88172645463325252ull;
  x ^= x << 13, x ^= x >> 7, x ^= x << 17;
  return x;
}

double until_next(double rate) { return -log(1 - (chance() >> 11) * 0x1p-53) / rate * SECOND; }

void record(uint64_t took) {
  int power = took < STEPS ? 0 : 63 - __builtin_clzll(took) - 6;
  histogram[took < STEPS ? took : (uint64_t)(power + 1) * STEPS + (took >> power) - STEPS]++;
  measured++;
  if (took > longest) longest = took;
}

double percentile(double part) {
  uint64_t wanted = ceil(measured * part), seen = 0;
  double middle = 0;
  for (int i = 0; i < 64 * STEPS && measured; i++) {
    seen += histogram[i];
    middle = i < STEPS ? i : (i % STEPS + STEPS + 0.5) * (1ull << (i / STEPS - 1));
    if (seen && seen >= wanted) break;
  }
  return (part >= 1 || middle > longest ? longest : middle) / 1000.0;
}

double cpu_seconds(const char *pids) {
  double sum = 0;
  for (const char *p = pids; p && *p; p = strchr(p, ',') ? strchr(p, ',') + 1 : "") {
    clockid_t clock;
    struct timespec t;
    if (clock_getcpuclockid(atoi(p), &clock) || clock_gettime(clock, &t)) die("CPU clock of the server");
    sum += t.tv_sec + t.tv_nsec / 1e9;
  }
  return sum;
}
