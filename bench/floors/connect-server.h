/*
 * What both floors share: a SOCKS5 server that does CONNECT to IPv4 addresses and nothing else, and trusts its client
 * to write whole messages and to wait for each answer. One thread, epoll. The floors differ in how they move bytes.
 */
#ifndef CONNECT_SERVER_H
#define CONNECT_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum stage { STAGE_LISTENER, STAGE_GREETING, STAGE_REQUEST, STAGE_DIALLING, STAGE_OPEN };

/* One end of a tunnel. */
struct end {
  int fd;
  enum stage stage;
  struct end *other;
  uint32_t events;  /* what epoll watches */
  bool finished;    /* it has sent its FIN, and everything before has been moved */
  bool dead;
  void *held;       /* the floor's: bytes of this end that the other has not taken */
};

enum moved {
  MOVED_ALL,     /* nothing more to read now */
  MOVED_BLOCKED, /* the other end takes no more now; something is held */
  MOVED_END,     /* FIN came; nothing is held */
  MOVED_ERROR,
};

/* The floor's part: moves bytes from `from` to `from->other`, held ones first. */
enum moved move_bytes(struct end *from);
/* The floor's part: lets go of what `end` holds. */
void forget_held(struct end *end);

#endif
