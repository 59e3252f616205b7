/*
 * The admin protocol by usrsctp, the user-space SCTP of FreeBSD's authors, over UDP (RFC 6951), as client and as server.
 *
 * usage: admin_peer client HOST SCTP_PORT UDP_PORT MESSAGE...
 *            sends each MESSAGE (hexadecimal, and "+N" behind it for N bytes of 'x'), reading one reply before each but the first,
 *            and prints what arrives, one message a line, until the server closes; then "closed"
 *        admin_peer server SCTP_PORT COUNT REPLY...
 *            prints "listening UDP_PORT", then serves COUNT clients: for each message that arrives it prints it and sends
 *            the next REPLY; when the client closes it prints "closed"
 */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <usrsctp.h>

enum { MESSAGE_MAX = 65536, SECONDS_MAX = 30 };

static void fail(const char *what) {
  perror(what);
  exit(1);
}

/* A UDP port that is free now: usrsctp wants to be told one. */
static uint16_t free_udp_port(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
  socklen_t size = sizeof address;
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0) fail("udp");
  if (getsockname(fd, (struct sockaddr *)&address, &size) < 0) fail("getsockname");
  close(fd);
  return ntohs(address.sin_port);
}

static size_t parse(const char *text, uint8_t *out) {
  size_t size = 0;
  for (; *text != '\0' && *text != '+'; text += 2) {
    unsigned byte;
    if (size == MESSAGE_MAX || sscanf(text, "%2x", &byte) != 1) exit(2);
    out[size++] = (uint8_t)byte;
  }
  size_t filling = *text == '+' ? strtoul(text + 1, NULL, 10) : 0;
  if (filling > MESSAGE_MAX - size) exit(2);
  memset(out + size, 'x', filling);
  return size + filling;
}

static struct socket *open_socket(void) {
  struct socket *sock = usrsctp_socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP, NULL, NULL, 0, NULL);
  if (sock == NULL) fail("usrsctp_socket");
  return sock;
}

static void send_text(struct socket *sock, const char *text) {
  static uint8_t message[MESSAGE_MAX];
  size_t size = parse(text, message);
  if (usrsctp_sendv(sock, message, size, NULL, 0, NULL, 0, SCTP_SENDV_NOINFO, 0) < 0) fail("usrsctp_sendv");
}

/* Prints the next message in hexadecimal; 0 when the peer has closed. */
static int print_message(struct socket *sock) {
  static uint8_t message[MESSAGE_MAX];
  struct sctp_rcvinfo info;
  socklen_t info_size = sizeof info, from_size = 0;
  unsigned type;
  int flags = 0;
  ssize_t size = usrsctp_recvv(sock, message, sizeof message, NULL, &from_size, &info, &info_size, &type, &flags);
  if (size < 0) fail("usrsctp_recvv");
  if (size == 0) return 0;
  for (ssize_t at = 0; at < size; at++) printf("%02x", message[at]);
  putchar('\n');
  return 1;
}

static void run_client(const char *host, uint16_t port, uint16_t udp_port, int count, char **messages) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  if (inet_pton(AF_INET, host, &address.sin_addr) != 1) exit(2);
  struct sctp_udpencaps encapsulation = {.sue_port = htons(udp_port)};
  encapsulation.sue_address.ss_family = AF_INET;
  struct socket *sock = open_socket();
  if (usrsctp_setsockopt(sock, IPPROTO_SCTP, SCTP_REMOTE_UDP_ENCAPS_PORT, &encapsulation, sizeof encapsulation) < 0)
    fail("SCTP_REMOTE_UDP_ENCAPS_PORT");
  if (usrsctp_connect(sock, (struct sockaddr *)&address, sizeof address) < 0) fail("usrsctp_connect");
  for (int index = 0; index < count; index++) {
    if (index > 0 && !print_message(sock)) break;
    send_text(sock, messages[index]);
  }
  while (print_message(sock)) continue;
  puts("closed");
  usrsctp_close(sock);
}

static void run_server(uint16_t port, uint16_t udp_port, int clients, int count, char **replies) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_ANY)};
  struct socket *listener = open_socket();
  if (usrsctp_bind(listener, (struct sockaddr *)&address, sizeof address) < 0) fail("usrsctp_bind");
  if (usrsctp_listen(listener, 8) < 0) fail("usrsctp_listen");
  printf("listening %u\n", udp_port);
  while (clients-- > 0) {
    struct socket *sock = usrsctp_accept(listener, NULL, NULL);
    if (sock == NULL) fail("usrsctp_accept");
    for (int index = 0; print_message(sock); index++)
      if (index < count) send_text(sock, replies[index]);
    puts("closed");
    usrsctp_close(sock);
  }
  usrsctp_close(listener);
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  setvbuf(stdout, NULL, _IOLBF, 0);
  alarm(SECONDS_MAX);
  uint16_t udp_port = free_udp_port();
  usrsctp_init(udp_port, NULL, NULL);
  /* As root it also listens on IP protocol 132, where it would abort what others do. */
  usrsctp_sysctl_set_sctp_blackhole(2);
  usrsctp_sysctl_set_sctp_no_csum_on_loopback(0);
  if (strcmp(argv[1], "client") == 0 && argc >= 6)
    run_client(argv[2], (uint16_t)atoi(argv[3]), (uint16_t)atoi(argv[4]), argc - 5, argv + 5);
  else if (strcmp(argv[1], "server") == 0)
    run_server((uint16_t)atoi(argv[2]), udp_port, atoi(argv[3]), argc - 4, argv + 4);
  else
    return 2;
  /* It finishes the closing handshake in its own thread. */
  for (int tries = 0; usrsctp_finish() != 0 && tries < 500; tries++) usleep(10000);
  return 0;
}
