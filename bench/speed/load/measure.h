/* What the generator measures with: clocks, chance and a histogram. */
#pragma once
#include <stdint.h>

#define SECOND 1000000000ull

/* End with a sentence about errno. */
void die(const char *what);

/* Nanoseconds of a clock that nobody sets. */
uint64_t now(void);

/* The next of a row of random numbers that is the same in each run. */
uint64_t chance(void);

/* Nanoseconds until the next of so many events a second that happen at random moments. */
double until_next(double rate);

/* One more answer that took so many nanoseconds. */
void record(uint64_t took);

/* The time in microseconds within which this part of the answers came; 1: all. */
double percentile(double part);

/* The CPU time that these processes (numbers with commas between; NULL: none) have used so far. */
double cpu_seconds(const char *pids);
