/* Time, what the proxy's processes use, and latencies. */
#include "load.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

double now_s(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

double ratio(double part, double whole) {
  return whole > 0 ? part / whole : 0;
}

/* ---- usage ---- */

#define PROCESSES_MAX 4096

struct process {
  int pid, parent;
  /* Of children that have ended. */
  double reaped_cpu_s;
  long rss_kib;
  bool counted;
};

/* The CPU time of all threads of a process, those that have ended too. /proc/PID/stat has it only in ticks of 10 ms. */
static double cpu_of(int pid) {
  clockid_t clock;
  struct timespec time;
  if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &time)) return 0;
  return time.tv_sec + time.tv_nsec / 1e9;
}

/* Reads /proc/PID/stat (proc(5)); false when the process has gone. */
static bool read_process(int pid, struct process *process) {
  char path[64], text[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  FILE *file = fopen(path, "r");
  if (!file) return false;
  size_t size = fread(text, 1, sizeof text - 1, file);
  fclose(file);
  text[size] = 0;
  /* The name stands in parentheses and may hold anything, parentheses too. */
  char *after_name = strrchr(text, ')');
  long reaped_user, reaped_system, rss_pages;
  if (!after_name || sscanf(after_name + 2,
                            "%*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %ld %ld %*d %*d %*d %*d %*u %*u %ld",
                            &process->parent, &reaped_user, &reaped_system, &rss_pages) != 4)
    return false;
  process->pid = pid;
  process->reaped_cpu_s = (reaped_user + reaped_system) / (double)sysconf(_SC_CLK_TCK);
  process->rss_kib = rss_pages * (sysconf(_SC_PAGESIZE) / 1024);
  process->counted = false;
  return true;
}

/* The processes of the machine; those of the proxy are marked. Returns their number. */
static int read_processes(struct process *all) {
  int count = 0;
  DIR *directory = opendir("/proc");
  if (!directory) die("/proc");
  for (struct dirent *entry; count < PROCESSES_MAX && (entry = readdir(directory));)
    if (isdigit((unsigned char)entry->d_name[0]) && read_process(atoi(entry->d_name), &all[count])) count++;
  closedir(directory);

  /* Everything below the given processes: as many passes as the tree is deep. */
  for (bool grew = true; grew;) {
    grew = false;
    for (int i = 0; i < count; i++) {
      if (all[i].counted) continue;
      bool wanted = false;
      for (int k = 0; k < options.pid_count; k++) wanted |= all[i].pid == options.pids[k];
      for (int k = 0; k < count && !wanted; k++) wanted = all[k].counted && all[k].pid == all[i].parent;
      if (!wanted) continue;
      all[i].counted = grew = true;
    }
  }
  return count;
}

static struct process all[PROCESSES_MAX];

struct usage usage_now(void) {
  struct usage sum = {0, 0};
  if (options.pid_count == 0) return sum;
  int count = read_processes(all);
  for (int i = 0; i < count; i++) {
    if (!all[i].counted) continue;
    sum.cpu_s += all[i].reaped_cpu_s + cpu_of(all[i].pid);
    sum.rss_kib += all[i].rss_kib;
  }
  return sum;
}

long descriptors_now(void) {
  long sum = 0;
  int count = options.pid_count == 0 ? 0 : read_processes(all);
  for (int i = 0; i < count; i++) {
    if (!all[i].counted) continue;
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd", all[i].pid);
    DIR *directory = opendir(path);
    if (!directory) continue;
    for (struct dirent *entry; (entry = readdir(directory));) sum += isdigit((unsigned char)entry->d_name[0]) != 0;
    closedir(directory);
  }
  return sum;
}

/* ---- latencies ---- */

static double *latencies;
static long latency_count, latency_room;

void latency_add(double seconds) {
  if (latency_count == latency_room) {
    latency_room = latency_room ? latency_room * 2 : 65536;
    latencies = realloc(latencies, latency_room * sizeof *latencies);
    if (!latencies) die("memory");
  }
  latencies[latency_count++] = seconds;
}

void latency_forget(void) { latency_count = 0; }

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double percentile_us(double share) { return latencies[(long)((latency_count - 1) * share)] * 1e6; }

void latency_print(void) {
  if (latency_count == 0) {
    printf("\"latency_us\":null");
    return;
  }
  qsort(latencies, latency_count, sizeof *latencies, compare);
  printf("\"latency_us\":{\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"max\":%.1f}", percentile_us(0.5),
         percentile_us(0.9), percentile_us(0.99), percentile_us(0.999), percentile_us(1));
}
