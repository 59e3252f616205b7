/*
 * Datagrams through UDP associations (RFC 1928 section 7), to the origin and back. Each association has a few under
 * way, and sends the next when one is back; what does not come back in time is lost.
 */
#define _GNU_SOURCE
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* RSV, FRAG, ATYP, DST.ADDR, DST.PORT for IPv4. */
#define HEADER_BYTES 10
/* Datagrams under way over all associations, but at least so many in each. */
#define UNDER_WAY_ALL 64
#define UNDER_WAY_MIN 2
/* Who hears nothing for so long counts what is under way as lost. */
#define PATIENCE_SECONDS 0.25

struct association {
  int fd;
  int under_way;
  double heard_s; /* when the last datagram came, or patience ended */
};

static struct {
  long sent, received, lost;
} tally;

/* A datagram as it goes out: the header, unless there is no proxy, and the payload. */
static uint8_t datagram[HEADER_BYTES + PIECE_BYTES];
static int datagram_bytes;

static void compose_datagram(void) {
  if (options.proxy_port != 0) {
    const uint8_t header[HEADER_BYTES] = {
        0, 0, 0, 1, 127, 0, 0, 1, options.origin_port >> 8, options.origin_port & 255};
    memcpy(datagram, header, sizeof header);
    datagram_bytes = sizeof header;
  }
  memset(datagram + datagram_bytes, 'x', options.bytes);
  datagram_bytes += options.bytes;
}

/* A socket that talks to the association's relay, or to the origin when there is no proxy. */
static int connect_udp(const struct tunnel *control) {
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons(options.origin_port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (control) {
    if (control->answer[3] != 1) {
      errno = EAFNOSUPPORT;
      die("BND.ADDR is not IPv4");
    }
    memcpy(&address.sin_addr, control->answer + 4, 4);
    memcpy(&address.sin_port, control->answer + 8, 2);
    /* A wildcard means the address at which we reach the proxy. */
    if (address.sin_addr.s_addr == INADDR_ANY) address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  }
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), room = 4 << 20;
  if (fd < 0) die("socket");
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  if (connect(fd, (struct sockaddr *)&address, sizeof address)) die("connect of UDP");
  return fd;
}

static void send_one(struct association *association) {
  if (send(association->fd, datagram, datagram_bytes, 0) != datagram_bytes) return;
  tally.sent++;
  association->under_way++;
}

static void fill(struct association *association, int wanted) {
  for (int missing = wanted - association->under_way; missing > 0; missing--) send_one(association);
}

static void hear_all(struct association *association, int wanted) {
  for (ssize_t received; (received = recv(association->fd, piece, sizeof piece, 0)) >= 0;) {
    if (received != datagram_bytes) continue;
    tally.received++;
    association->heard_s = now_s();
    if (association->under_way > 0) association->under_way--;
  }
  fill(association, wanted);
}

static void lose_patience(struct association *associations, int count, int wanted) {
  double now = now_s();
  for (int i = 0; i < count; i++) {
    if (now - associations[i].heard_s < PATIENCE_SECONDS) continue;
    tally.lost += associations[i].under_way;
    associations[i].under_way = 0;
    associations[i].heard_s = now;
    fill(&associations[i], wanted);
  }
}

/* The control connections, in an epoll of their own: they only have to stay open. Returns how many there are. */
static int open_controls(struct tunnel **controls) {
  if (options.proxy_port == 0) return options.concurrency;
  options.cmd = CMD_UDP_ASSOCIATE;
  return tunnels_open(new_epoll(), controls, options.concurrency, "");
}

void run_udp(void) {
  struct tunnel **controls = calloc(options.concurrency, sizeof *controls);
  struct association *associations = calloc(options.concurrency, sizeof *associations);
  if (!controls || !associations) die("memory");
  int wanted = UNDER_WAY_ALL / options.concurrency;
  if (wanted < UNDER_WAY_MIN) wanted = UNDER_WAY_MIN;
  compose_datagram();

  int open = open_controls(controls), epoll = new_epoll();
  for (int i = 0; i < open; i++) {
    associations[i] = (struct association){.fd = connect_udp(controls[i]), .heard_s = now_s()};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &associations[i]};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, associations[i].fd, &event)) die("epoll_ctl");
    fill(&associations[i], wanted);
  }

  bool measuring = false;
  double began_s = now_s();
  struct usage before = {0, 0};
  for (;;) {
    double now = now_s();
    if (!measuring && now - began_s >= options.warmup_s) {
      measuring = true;
      memset(&tally, 0, sizeof tally);
      before = usage_now();
      began_s = now = now_s();
    }
    if (measuring && now - began_s >= options.seconds) break;
    struct epoll_event events[EVENTS_MAX];
    int ready = epoll_wait(epoll, events, EVENTS_MAX, 50);
    for (int i = 0; i < ready; i++) hear_all(events[i].data.ptr, wanted);
    lose_patience(associations, open, wanted);
  }
  double seconds = now_s() - began_s;
  struct usage after = usage_now();
  double cpu_s = after.cpu_s - before.cpu_s;
  printf("{\"mode\":\"udp\",\"associations\":%d,\"bytes\":%d,\"failed\":%d,\"seconds\":%.3f,\"count\":%ld,"
         "\"per_second\":%.1f,\"cpu_us_each\":%.3f,\"lost\":%ld,\"loss_percent\":%.3f,\"cpu_share\":%.3f,"
         "\"rss_kib\":%ld}\n",
         options.concurrency, options.bytes, options.concurrency - open, seconds, tally.received,
         ratio(tally.received, seconds), ratio(cpu_s * 1e6, tally.received), tally.lost,
         ratio(100.0 * tally.lost, tally.sent), ratio(cpu_s, seconds), after.rss_kib);
}
