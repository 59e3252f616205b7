/*
 * Lets user-mode Linux run on processors whose registers are more than it knows of. It keeps those of its processes in a buffer
 * of fixed size, and the kernel takes back all of them or none (EFAULT): on a processor with AMX, whose are eleven kilobytes,
 * its first process would end it. So the registers that are given back are laid over all that the processor has.
 *
 * A library for LD_PRELOAD.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>

long ptrace(enum __ptrace_request request, ...) {
  static long (*next)(enum __ptrace_request, pid_t, void *, void *);
  if (!next) *(void **)&next = dlsym(RTLD_NEXT, "ptrace");
  va_list list;
  va_start(list, request);
  pid_t pid = va_arg(list, pid_t);
  void *address = va_arg(list, void *);
  void *data = va_arg(list, void *);
  va_end(list);
  if (request == PTRACE_SETREGSET && (unsigned long)address == NT_X86_XSTATE) {
    static char state[65536];
    const struct iovec *given = data;
    struct iovec whole = {state, sizeof state};
    if (next(PTRACE_GETREGSET, pid, address, &whole) < 0) return -1;
    memcpy(state, given->iov_base, given->iov_len < whole.iov_len ? given->iov_len : whole.iov_len);
    return next(PTRACE_SETREGSET, pid, address, &whole);
  }
  return next(request, pid, address, data);
}
