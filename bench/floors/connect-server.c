/* See connect-server.h. usage: FLOOR PORT (0: a free one); prints "ready 127.0.0.1:PORT" on stderr. */
#define _GNU_SOURCE
#include "connect-server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_MAX 512

static int epoll;
/* Ends whose tunnels are over: freed when the batch of events that may name them is done. */
static struct end *graveyard[2 * EVENTS_MAX];
static int graves;

static _Noreturn void die(const char *what) {
  perror(what);
  exit(2);
}

static struct end *new_end(int fd, enum stage stage, uint32_t events) {
  struct end *end = calloc(1, sizeof *end);
  if (!end) die("memory");
  *end = (struct end){.fd = fd, .stage = stage, .events = events};
  struct epoll_event event = {.events = events, .data.ptr = end};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) die("epoll_ctl");
  return end;
}

static void watch(struct end *end, uint32_t events) {
  if (end->events == events) return;
  end->events = events;
  struct epoll_event event = {.events = events, .data.ptr = end};
  if (epoll_ctl(epoll, EPOLL_CTL_MOD, end->fd, &event)) die("epoll_ctl");
}

static void bury(struct end *end) {
  if (!end || end->dead) return;
  end->dead = true;
  forget_held(end);
  close(end->fd);
  graveyard[graves++] = end;
}

static void end_both(struct end *end) {
  bury(end->other);
  bury(end);
}

/* An end is read while what it sends is taken, and watched for room while the other holds something for it. */
static uint32_t wanted_events(const struct end *end) {
  return (end->held || end->finished ? 0 : EPOLLIN) | (end->other->held ? EPOLLOUT : 0);
}

static void move(struct end *from) {
  switch (move_bytes(from)) {
    case MOVED_ERROR: end_both(from); return;
    case MOVED_END:
      from->finished = true;
      if (from->other->finished) {
        end_both(from);
        return;
      }
      shutdown(from->other->fd, SHUT_WR);
      break;
    case MOVED_ALL:
    case MOVED_BLOCKED: break;
  }
  watch(from, wanted_events(from));
  watch(from->other, wanted_events(from->other));
}

static void accept_all(int listener) {
  for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    new_end(fd, STAGE_GREETING, EPOLLIN);
  }
}

static void choose_method(struct end *client) {
  uint8_t greeting[257];
  if (recv(client->fd, greeting, sizeof greeting, 0) < 3 || send(client->fd, "\5\0", 2, MSG_NOSIGNAL) != 2)
    end_both(client);
  client->stage = STAGE_REQUEST;
}

static void dial(struct end *client) {
  uint8_t request[262];
  if (recv(client->fd, request, sizeof request, 0) != 10 || request[3] != 1) {
    end_both(client);
    return;
  }
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
  if (fd < 0) die("socket");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct sockaddr_in address = {.sin_family = AF_INET};
  memcpy(&address.sin_addr, request + 4, 4);
  memcpy(&address.sin_port, request + 8, 2);
  client->stage = STAGE_DIALLING;
  client->other = new_end(fd, STAGE_DIALLING, EPOLLOUT);
  client->other->other = client;
  if (connect(fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS) end_both(client);
}

static void answer(struct end *target, uint32_t events) {
  struct end *client = target->other;
  const uint8_t reply[10] = {5, events & (EPOLLERR | EPOLLHUP) ? 5 : 0, 0, 1};
  if (send(client->fd, reply, sizeof reply, MSG_NOSIGNAL) != sizeof reply || reply[1]) {
    end_both(target);
    return;
  }
  client->stage = target->stage = STAGE_OPEN;
  watch(target, EPOLLIN);
}

static void handle(struct end *end, uint32_t events) {
  switch (end->stage) {
    case STAGE_LISTENER: accept_all(end->fd); break;
    case STAGE_GREETING: choose_method(end); break;
    case STAGE_REQUEST: dial(end); break;
    case STAGE_DIALLING:
      if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) answer(end, events);
      break;
    case STAGE_OPEN:
      if (events & EPOLLOUT) move(end->other);
      if (!end->dead && (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) && !end->held && !end->finished) move(end);
      /* A reset of an end that is not read any more. */
      if (!end->dead && (events & EPOLLERR)) end_both(end);
      break;
  }
}

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN);
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit)) die("getrlimit");
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit)) die("setrlimit");

  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons(argc > 1 ? atoi(argv[1]) : 0),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 4096) ||
      getsockname(listener, (struct sockaddr *)&address, &size))
    die("listen");
  if ((epoll = epoll_create1(EPOLL_CLOEXEC)) < 0) die("epoll_create1");
  new_end(listener, STAGE_LISTENER, EPOLLIN);
  fprintf(stderr, "ready 127.0.0.1:%d\n", ntohs(address.sin_port));

  for (;;) {
    struct epoll_event events[EVENTS_MAX];
    int ready = epoll_wait(epoll, events, EVENTS_MAX, -1);
    for (int i = 0; i < ready; i++) {
      struct end *end = events[i].data.ptr;
      if (!end->dead) handle(end, events[i].events);
    }
    while (graves > 0) free(graveyard[--graves]);
  }
}
