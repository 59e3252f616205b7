/* The floor of a relay that does not copy: splice(2) through a pipe, which an end has only while bytes are in it. */
#define _GNU_SOURCE
#include "connect-server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define PIPE_BYTES (1024 * 1024)
/* BOUNDED: pipes that nobody uses, beyond which they are closed. */
#define SPARE_MAX 64

struct pipe {
  int in, out;
  size_t size; /* bytes inside */
};

static struct pipe *spare[SPARE_MAX];
static int spare_count;

static struct pipe *take_pipe(void) {
  if (spare_count > 0) return spare[--spare_count];
  struct pipe *pipe = calloc(1, sizeof *pipe);
  int ends[2];
  if (!pipe || pipe2(ends, O_NONBLOCK | O_CLOEXEC)) {
    free(pipe);
    return NULL;
  }
  /* Where the user's allowance of pipe memory is used up it stays smaller. */
  fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES);
  pipe->out = ends[0];
  pipe->in = ends[1];
  return pipe;
}

static void give_back(struct pipe *pipe) {
  if (pipe->size == 0 && spare_count < SPARE_MAX) {
    spare[spare_count++] = pipe;
    return;
  }
  close(pipe->in);
  close(pipe->out);
  free(pipe);
}

void forget_held(struct end *end) {
  if (end->held) give_back(end->held);
  end->held = NULL;
}

static enum moved empty(struct end *from, struct pipe *pipe) {
  while (pipe->size > 0) {
    ssize_t written = splice(pipe->out, NULL, from->other->fd, NULL, pipe->size, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (written < 0 && errno == EAGAIN) return MOVED_BLOCKED;
    if (written <= 0) return MOVED_ERROR;
    pipe->size -= written;
  }
  return MOVED_ALL;
}

enum moved move_bytes(struct end *from) {
  struct pipe *pipe = from->held;
  if (!pipe) {
    pipe = take_pipe();
    if (!pipe) return MOVED_ERROR;
    ssize_t received = splice(from->fd, NULL, pipe->in, NULL, PIPE_BYTES, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (received <= 0) {
      give_back(pipe);
      return received == 0 ? MOVED_END : errno == EAGAIN ? MOVED_ALL : MOVED_ERROR;
    }
    pipe->size = received;
    from->held = pipe;
  }
  enum moved moved = empty(from, pipe);
  if (moved == MOVED_ALL) forget_held(from);
  return moved;
}
