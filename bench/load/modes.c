/* The client modes. Each prints one line of JSON; its fields are explained in METHOD.md. */
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct tunnel **room_for(long count) {
  struct tunnel **tunnels = calloc(count, sizeof *tunnels);
  if (!tunnels) die("memory");
  return tunnels;
}

/* ---- conn ---- */

/* How many connections came to their end, and how many did not. */
struct tally {
  long done, failed;
};

/* Makes `total` connections, `options.concurrency` at once: handshake, one byte there and back, close. */
static struct tally connections(int epoll, long total) {
  struct tally tally = {0, 0};
  long started = 0;
  double end = now_s() + RUN_SECONDS_MAX;
  while (tally.done + tally.failed < total && now_s() < end) {
    for (; started < total && started - tally.done - tally.failed < options.concurrency; started++)
      tunnel_start(epoll, HABIT_ECHO "x");
    struct epoll_event events[EVENTS_MAX];
    int ready = epoll_wait(epoll, events, EVENTS_MAX, 1000);
    for (int i = 0; i < ready; i++) {
      struct tunnel *tunnel = events[i].data.ptr;
      bool failed = false, done = false;
      if (tunnel->stage != STAGE_OPEN) {
        enum progress progress = tunnel_advance(epoll, tunnel, events[i].events);
        failed = progress == PROGRESS_FAILED;
        if (progress == PROGRESS_OPEN) tunnel_watch(epoll, tunnel, EPOLLIN);
      } else {
        char byte;
        ssize_t received = recv(tunnel->fd, &byte, 1, 0);
        done = received == 1;
        failed = received == 0 || (received < 0 && errno != EAGAIN);
      }
      if (!done && !failed) continue;
      if (done) latency_add(now_s() - tunnel->started_s);
      tally.done += done;
      tally.failed += failed;
      tunnel_end(tunnel);
    }
  }
  tally.failed = total - tally.done;
  return tally;
}

void run_conn(void) {
  int epoll = new_epoll();
  /* A tenth first, which is not counted: caches fill, compilers compile. */
  connections(epoll, options.count / 10 + 1);
  latency_forget();
  double began_s = now_s();
  struct usage before = usage_now();
  struct tally tally = connections(epoll, options.count);
  double seconds = now_s() - began_s;
  struct usage after = usage_now();
  double cpu_s = after.cpu_s - before.cpu_s;
  printf("{\"mode\":\"conn\",\"concurrency\":%d,\"count\":%ld,\"failed\":%ld,\"seconds\":%.3f,\"per_second\":%.1f,"
         "\"cpu_us_each\":%.2f,\"cpu_share\":%.3f,\"rss_kib\":%ld,",
         options.concurrency, tally.done, tally.failed, seconds, ratio(tally.done, seconds),
         ratio(cpu_s * 1e6, tally.done), ratio(cpu_s, seconds), after.rss_kib);
  latency_print();
  printf("}\n");
}

/* ---- echo ---- */

static void send_message(struct tunnel *tunnel) {
  tunnel->received = 0;
  tunnel->started_s = now_s();
  if (send(tunnel->fd, piece, options.bytes, MSG_NOSIGNAL) != options.bytes) die("send of a message");
}

void run_echo(void) {
  int epoll = new_epoll();
  struct tunnel **tunnels = room_for(options.concurrency);
  int open = tunnels_open(epoll, tunnels, options.concurrency, HABIT_ECHO);
  for (int i = 0; i < open; i++) {
    tunnel_watch(epoll, tunnels[i], EPOLLIN);
    send_message(tunnels[i]);
  }
  long count = 0, failed = options.concurrency - open;
  bool measuring = false;
  double began_s = now_s();
  struct usage before = {0, 0};
  for (;;) {
    double now = now_s();
    if (!measuring && now - began_s >= options.warmup_s) {
      measuring = true;
      latency_forget();
      count = 0;
      before = usage_now();
      began_s = now = now_s();
    }
    if (measuring && now - began_s >= options.seconds) break;
    struct epoll_event events[EVENTS_MAX];
    int ready = epoll_wait(epoll, events, EVENTS_MAX, 100);
    for (int i = 0; i < ready; i++) {
      struct tunnel *tunnel = events[i].data.ptr;
      ssize_t received = recv(tunnel->fd, piece, sizeof piece, 0);
      if (received < 0 && errno == EAGAIN) continue;
      if (received <= 0) {
        failed++;
        tunnel_end(tunnel);
        continue;
      }
      tunnel->received += received;
      if (tunnel->received < options.bytes) continue;
      latency_add(now_s() - tunnel->started_s);
      count++;
      send_message(tunnel);
    }
  }
  double seconds = now_s() - began_s;
  struct usage after = usage_now();
  double cpu_s = after.cpu_s - before.cpu_s;
  printf("{\"mode\":\"echo\",\"tunnels\":%d,\"bytes\":%d,\"count\":%ld,\"failed\":%ld,\"seconds\":%.3f,"
         "\"per_second\":%.1f,\"cpu_us_each\":%.3f,\"cpu_share\":%.3f,\"rss_kib\":%ld,",
         options.concurrency, options.bytes, count, failed, seconds, ratio(count, seconds), ratio(cpu_s * 1e6, count),
         ratio(cpu_s, seconds), after.rss_kib);
  latency_print();
  printf("}\n");
}

/* ---- bulk ---- */

/* Moves at most a few pieces, so that no stream holds up the others; false when the stream has ended. */
static bool move_pieces(const struct tunnel *tunnel, uint32_t events, uint64_t *moved) {
  for (int turn = 0; turn < 4 && (events & EPOLLIN); turn++) {
    /* MSG_TRUNC takes the bytes away without copying them: we are not what is measured. */
    ssize_t received = recv(tunnel->fd, piece, sizeof piece, MSG_TRUNC);
    if (received < 0 && errno == EAGAIN) break;
    if (received <= 0) return false;
    *moved += received;
  }
  for (int turn = 0; turn < 4 && (events & EPOLLOUT); turn++) {
    ssize_t sent = send(tunnel->fd, piece, sizeof piece, MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) break;
    if (sent <= 0) return false;
    *moved += sent;
  }
  return !(events & (EPOLLERR | EPOLLHUP));
}

static const struct direction {
  const char *name;
  const char *habit;
  uint32_t watched;
} directions[] = {
    {"down", HABIT_SOURCE, EPOLLIN}, {"up", HABIT_SINK, EPOLLOUT}, {"both", HABIT_BOTH, EPOLLIN | EPOLLOUT}};

static const struct direction *wanted_direction(void) {
  for (size_t i = 0; i < sizeof directions / sizeof *directions; i++)
    if (!strcmp(directions[i].name, options.direction)) return &directions[i];
  errno = EINVAL;
  die("--direction is down, up or both");
}

void run_bulk(void) {
  const struct direction *direction = wanted_direction();
  int epoll = new_epoll();
  struct tunnel **tunnels = room_for(options.concurrency);
  int open = tunnels_open(epoll, tunnels, options.concurrency, direction->habit);
  for (int i = 0; i < open; i++) tunnel_watch(epoll, tunnels[i], direction->watched);
  uint64_t moved = 0;
  long failed = options.concurrency - open;
  bool measuring = false;
  double began_s = now_s();
  struct usage before = {0, 0};
  for (;;) {
    double now = now_s();
    if (!measuring && now - began_s >= options.warmup_s) {
      measuring = true;
      moved = 0;
      before = usage_now();
      began_s = now = now_s();
    }
    if (measuring && now - began_s >= options.seconds) break;
    struct epoll_event events[EVENTS_MAX];
    int ready = epoll_wait(epoll, events, EVENTS_MAX, 100);
    for (int i = 0; i < ready; i++) {
      struct tunnel *tunnel = events[i].data.ptr;
      if (move_pieces(tunnel, events[i].events, &moved)) continue;
      failed++;
      tunnel_end(tunnel);
    }
  }
  double seconds = now_s() - began_s;
  struct usage after = usage_now();
  double cpu_s = after.cpu_s - before.cpu_s, gib = moved / (double)(1 << 30);
  printf("{\"mode\":\"bulk\",\"streams\":%d,\"direction\":\"%s\",\"failed\":%ld,\"seconds\":%.3f,"
         "\"gib_per_second\":%.4f,\"cpu_s_per_gib\":%.4f,\"cpu_share\":%.3f,\"rss_kib\":%ld}\n",
         options.concurrency, direction->name, failed, seconds, ratio(gib, seconds), ratio(cpu_s, gib),
         ratio(cpu_s, seconds), after.rss_kib);
}

/* ---- idle ---- */

/* Before memory is read garbage collectors run, and servers notice that a tunnel is idle: those that make something of it
 * need some seconds of silence for that. */
#define SETTLE_SECONDS 10
#define WARM_UP_SECONDS 4
#define WATCH_SECONDS 1

/* A tenth of the tunnels, opened, left idle and closed before: what a server sets aside once is not the price of a tunnel. */
static void warm_up(int epoll, struct tunnel **tunnels) {
  int open = tunnels_open(epoll, tunnels, options.count / 10 + 1, HABIT_ECHO);
  sleep(WARM_UP_SECONDS);
  for (int i = 0; i < open; i++) tunnel_end(tunnels[i]);
  sleep(WARM_UP_SECONDS);
}

void run_idle(void) {
  int epoll = new_epoll();
  struct tunnel **tunnels = room_for(options.count + 1);
  warm_up(epoll, tunnels);
  struct usage before = usage_now();
  long descriptors_before = descriptors_now();
  int open = tunnels_open(epoll, tunnels, options.count, HABIT_ECHO);
  sleep(SETTLE_SECONDS);
  struct usage opened = usage_now();
  sleep(WATCH_SECONDS);
  struct usage after = usage_now();
  printf("{\"mode\":\"idle\",\"tunnels\":%d,\"failed\":%ld,\"rss_kib_before\":%ld,\"rss_kib\":%ld,"
         "\"kib_per_tunnel\":%.3f,\"descriptors_per_tunnel\":%.3f,\"cpu_share\":%.4f}\n",
         open, options.count - open, before.rss_kib, after.rss_kib, ratio(after.rss_kib - before.rss_kib, open),
         ratio(descriptors_now() - descriptors_before, open),
         (after.cpu_s - opened.cpu_s) / WATCH_SECONDS);
}
