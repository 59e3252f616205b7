/* The floor of a relay that copies: read and write, through one buffer for all. Only what is not taken is kept. */
#include "connect-server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define BUFFER_BYTES (256 * 1024)

static char buffer[BUFFER_BYTES];

/* Bytes that the other end has not taken. */
struct rest {
  size_t offset, size;
  char bytes[];
};

void forget_held(struct end *end) {
  free(end->held);
  end->held = NULL;
}

static enum moved write_held(struct end *from) {
  struct rest *rest = from->held;
  ssize_t written = send(from->other->fd, rest->bytes + rest->offset, rest->size - rest->offset, MSG_NOSIGNAL);
  if (written < 0) return errno == EAGAIN ? MOVED_BLOCKED : MOVED_ERROR;
  rest->offset += written;
  if (rest->offset < rest->size) return MOVED_BLOCKED;
  forget_held(from);
  return MOVED_ALL;
}

static enum moved hold(struct end *from, const char *bytes, size_t size) {
  struct rest *rest = malloc(sizeof *rest + size);
  if (!rest) return MOVED_ERROR;
  rest->offset = 0;
  rest->size = size;
  memcpy(rest->bytes, bytes, size);
  from->held = rest;
  return MOVED_BLOCKED;
}

enum moved move_bytes(struct end *from) {
  if (from->held) return write_held(from);
  ssize_t received = recv(from->fd, buffer, sizeof buffer, 0);
  if (received < 0) return errno == EAGAIN ? MOVED_ALL : MOVED_ERROR;
  if (received == 0) return MOVED_END;
  ssize_t written = send(from->other->fd, buffer, received, MSG_NOSIGNAL);
  if (written < 0 && errno != EAGAIN) return MOVED_ERROR;
  if (written < 0) written = 0;
  return written == received ? MOVED_ALL : hold(from, buffer + written, received - written);
}
