/* The client's side of one connection: connect, the handshake of RFC 1928 and RFC 1929, and the origin's first byte. */
#define _GNU_SOURCE
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int connect_to(uint16_t port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket");
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (connect(fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS) die("connect");
  return fd;
}

int new_epoll(void) {
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) die("epoll_create1");
  return epoll;
}

struct tunnel *tunnel_start(int epoll, const char *first) {
  struct tunnel *tunnel = calloc(1, sizeof *tunnel);
  if (!tunnel) die("memory");
  tunnel->first = first;
  tunnel->started_s = now_s();
  tunnel->fd = connect_to(options.proxy_port ? options.proxy_port : options.origin_port);
  tunnel->events = EPOLLOUT;
  struct epoll_event event = {.events = tunnel->events, .data.ptr = tunnel};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, tunnel->fd, &event)) die("epoll_ctl");
  return tunnel;
}

void tunnel_watch(int epoll, struct tunnel *tunnel, uint32_t events) {
  if (tunnel->events == events) return;
  tunnel->events = events;
  struct epoll_event event = {.events = events, .data.ptr = tunnel};
  if (epoll_ctl(epoll, EPOLL_CTL_MOD, tunnel->fd, &event)) die("epoll_ctl");
}

void tunnel_end(struct tunnel *tunnel) {
  close(tunnel->fd);
  free(tunnel);
}

/* Sends all of it, or fails: the handshake's messages fit any socket's buffer. */
static bool say(struct tunnel *tunnel, const void *bytes, size_t size) {
  return send(tunnel->fd, bytes, size, MSG_NOSIGNAL) == (ssize_t)size;
}

static bool say_methods(struct tunnel *tunnel) {
  const uint8_t greeting[] = {5, 1, options.user ? 2 : 0};
  return say(tunnel, greeting, sizeof greeting);
}

static bool say_user(struct tunnel *tunnel) {
  uint8_t message[3 + 255 + 255];
  size_t name_bytes = strlen(options.user), password_bytes = strlen(options.password);
  message[0] = 1;
  message[1] = name_bytes;
  memcpy(message + 2, options.user, name_bytes);
  message[2 + name_bytes] = password_bytes;
  memcpy(message + 3 + name_bytes, options.password, password_bytes);
  return say(tunnel, message, 3 + name_bytes + password_bytes);
}

static bool say_request(struct tunnel *tunnel) {
  uint8_t request[4 + 1 + 255 + 2] = {5, options.cmd, 0, 1, 127, 0, 0, 1};
  size_t size = 8;
  /* Where we shall send from is not known yet: zeros, says RFC 1928 section 4. */
  static const uint8_t associate[10] = {5, CMD_UDP_ASSOCIATE, 0, 1};
  if (options.cmd == CMD_UDP_ASSOCIATE) return say(tunnel, associate, sizeof associate);
  if (options.name) {
    size_t name_bytes = strlen(options.name);
    request[3] = 3;
    request[4] = name_bytes;
    memcpy(request + 5, options.name, name_bytes);
    size = 5 + name_bytes;
  }
  request[size++] = options.origin_port >> 8;
  request[size++] = options.origin_port & 255;
  return say(tunnel, request, size);
}

/* Reads until `size` bytes of the answer are there, and not one byte more: what follows is not the handshake's. */
static enum progress hear(struct tunnel *tunnel, int size) {
  ssize_t received = recv(tunnel->fd, tunnel->answer + tunnel->answer_bytes, size - tunnel->answer_bytes, 0);
  if (received < 0 && errno == EAGAIN) return PROGRESS_PENDING;
  if (received <= 0) return PROGRESS_FAILED;
  tunnel->answer_bytes += received;
  return tunnel->answer_bytes == size ? PROGRESS_OPEN : PROGRESS_PENDING;
}

/* The size of a reply (RFC 1928 section 6): 10 bytes until its address type says otherwise. */
static int reply_bytes(const struct tunnel *tunnel) {
  return tunnel->answer_bytes >= 4 && tunnel->answer[3] == 4 ? 22 : 10;
}

static void complain(const struct tunnel *tunnel) {
  static int said;
  if (said++ < 3) fprintf(stderr, "load: refused in stage %d with %d\n", tunnel->stage, tunnel->answer[1]);
}

enum progress tunnel_advance(int epoll, struct tunnel *tunnel, uint32_t events) {
  enum progress heard = PROGRESS_OPEN;
  switch (tunnel->stage) {
    case STAGE_CONNECT:
      if (events & (EPOLLERR | EPOLLHUP)) return PROGRESS_FAILED;
      if (options.proxy_port == 0) break;
      if (!say_methods(tunnel)) return PROGRESS_FAILED;
      tunnel->stage = STAGE_METHOD;
      tunnel_watch(epoll, tunnel, EPOLLIN);
      return PROGRESS_PENDING;
    case STAGE_METHOD:
    case STAGE_USER:
      if ((heard = hear(tunnel, 2)) != PROGRESS_OPEN) return heard;
      tunnel->answer_bytes = 0;
      if (tunnel->answer[1] != (tunnel->stage == STAGE_METHOD && options.user ? 2 : 0)) {
        complain(tunnel);
        return PROGRESS_FAILED;
      }
      if (tunnel->stage == STAGE_METHOD && options.user) {
        tunnel->stage = STAGE_USER;
        return say_user(tunnel) ? PROGRESS_PENDING : PROGRESS_FAILED;
      }
      tunnel->stage = STAGE_REPLY;
      return say_request(tunnel) ? PROGRESS_PENDING : PROGRESS_FAILED;
    case STAGE_REPLY:
      /* An IPv6 address makes the reply longer than was thought: then once more. */
      while (heard == PROGRESS_OPEN && tunnel->answer_bytes < reply_bytes(tunnel))
        heard = hear(tunnel, reply_bytes(tunnel));
      if (heard != PROGRESS_OPEN) return heard;
      if (tunnel->answer[1] != 0) {
        complain(tunnel);
        return PROGRESS_FAILED;
      }
      break;
    case STAGE_OPEN: return PROGRESS_OPEN;
  }
  tunnel->stage = STAGE_OPEN;
  return say(tunnel, tunnel->first, strlen(tunnel->first)) ? PROGRESS_OPEN : PROGRESS_FAILED;
}

int tunnels_open(int epoll, struct tunnel **tunnels, int count, const char *first) {
  int started = 0, open = 0, failed = 0;
  double end = now_s() + RUN_SECONDS_MAX;
  while (open + failed < count && now_s() < end) {
    while (started < count && started - open - failed < 128) {
      tunnel_start(epoll, first);
      started++;
    }
    struct epoll_event events[EVENTS_MAX];
    int ready = epoll_wait(epoll, events, EVENTS_MAX, 1000);
    for (int i = 0; i < ready; i++) {
      struct tunnel *tunnel = events[i].data.ptr;
      switch (tunnel_advance(epoll, tunnel, events[i].events)) {
        case PROGRESS_PENDING: break;
        case PROGRESS_OPEN:
          tunnel_watch(epoll, tunnel, 0);
          tunnels[open++] = tunnel;
          break;
        case PROGRESS_FAILED:
          failed++;
          tunnel_end(tunnel);
          break;
      }
    }
  }
  return open;
}
