/*
 * The server at the far end: echoes, sends or swallows, as the first byte of each connection wants it. On the same port
 * of UDP it sends every datagram back.
 */
#define _GNU_SOURCE
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct connection {
  int fd;
  char habit; /* 0: not known yet */
};

/* Listens on 127.0.0.1 (port 0: a free one) or on ::1; returns the descriptor and sets the port. */
static int listen_on(int family, uint16_t *port) {
  int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
  if (fd < 0) die("socket");
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in v4 = {
      .sin_family = AF_INET, .sin_port = htons(*port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(*port), .sin6_addr = in6addr_loopback};
  void *address = family == AF_INET ? (void *)&v4 : (void *)&v6;
  socklen_t size = family == AF_INET ? sizeof v4 : sizeof v6;
  if (bind(fd, address, size) || listen(fd, 65535) || getsockname(fd, address, &size)) die("listen");
  *port = ntohs(family == AF_INET ? v4.sin_port : v6.sin6_port);
  return fd;
}

static void accept_all(int epoll, int listener) {
  for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection) die("memory");
    connection->fd = fd;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) die("epoll_ctl");
  }
}

static int bind_udp(uint16_t port) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), room = 4 << 20;
  if (fd < 0) die("socket");
  /* As much as the system allows: what is lost here would look like the proxy's loss. */
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(fd, (struct sockaddr *)&address, sizeof address)) die("bind of UDP");
  return fd;
}

static void echo_datagrams(int fd) {
  struct sockaddr_storage from;
  socklen_t size = sizeof from;
  for (ssize_t received; (received = recvfrom(fd, piece, sizeof piece, 0, (struct sockaddr *)&from, &size)) >= 0;) {
    sendto(fd, piece, received, 0, (struct sockaddr *)&from, size);
    size = sizeof from;
  }
}

/* Reads some of what is there; false when the connection has ended. */
static bool read_some(int epoll, struct connection *connection) {
  for (int turn = 0; turn < 4; turn++) {
    bool swallow = connection->habit != 0 && connection->habit != *HABIT_ECHO;
    ssize_t received = recv(connection->fd, piece, sizeof piece, swallow ? MSG_TRUNC : 0);
    if (received < 0 && errno == EAGAIN) return true;
    if (received <= 0) return false;
    char *payload = piece;
    ssize_t size = received;
    if (connection->habit == 0) {
      connection->habit = *payload++;
      size--;
      if (connection->habit == *HABIT_SOURCE || connection->habit == *HABIT_BOTH) {
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = connection};
        if (epoll_ctl(epoll, EPOLL_CTL_MOD, connection->fd, &event)) die("epoll_ctl");
      }
    }
    /* Messages are small and answered one at a time: they fit the socket's buffer. */
    if (connection->habit == *HABIT_ECHO && size > 0 && send(connection->fd, payload, size, MSG_NOSIGNAL) != size)
      return false;
    if (received < (ssize_t)sizeof piece) return true;
  }
  return true;
}

static bool write_some(const struct connection *connection) {
  for (int turn = 0; turn < 4; turn++) {
    ssize_t sent = send(connection->fd, piece, sizeof piece, MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN;
  }
  return true;
}

void run_origin(void) {
  uint16_t port = options.origin_port;
  int v4 = listen_on(AF_INET, &port);
  int v6 = listen_on(AF_INET6, &port);
  int epoll = new_epoll();
  struct connection listeners[] = {{.fd = v4}, {.fd = v6}, {.fd = bind_udp(port)}};
  for (int i = 0; i < 3; i++) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &listeners[i]};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, listeners[i].fd, &event)) die("epoll_ctl");
  }
  printf("%d\n", port);
  fflush(stdout);

  for (;;) {
    struct epoll_event events[EVENTS_MAX];
    int ready = epoll_wait(epoll, events, EVENTS_MAX, -1);
    for (int i = 0; i < ready; i++) {
      struct connection *connection = events[i].data.ptr;
      if (connection == &listeners[0] || connection == &listeners[1]) {
        accept_all(epoll, connection->fd);
        continue;
      }
      if (connection == &listeners[2]) {
        echo_datagrams(connection->fd);
        continue;
      }
      bool alive = true;
      if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) alive = read_some(epoll, connection);
      if (alive && (events[i].events & EPOLLOUT)) alive = write_some(connection);
      if (alive) continue;
      close(connection->fd);
      free(connection);
    }
  }
}
