/*
 * A load generator for SOCKS5 proxies.
 *
 *   load origin          serves on a free port of 127.0.0.1 and ::1, prints the port, runs until killed
 *   load conn [options]  handshake, CONNECT, one byte there and back, close; --count in all, --concurrency at once
 *   load echo [options]  messages of --bytes there and back on --concurrency open tunnels
 *   load bulk [options]  as many bytes as go through --concurrency tunnels, --direction down, up or both
 *   load idle [options]  memory of --count tunnels on which nothing happens
 *   load udp [options]   datagrams of --bytes there and back through --concurrency UDP associations
 *
 * Options: --proxy PORT (without: straight to the origin), --origin PORT, --user NAME:PASSWORD, --name HOST, --pid PID
 * (the proxy's process, repeatable), --count, --concurrency, --seconds, --warmup, --bytes, --direction.
 */
#include "load.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

struct options options = {.cmd = CMD_CONNECT,
                          .count = 1000,
                          .concurrency = 1,
                          .seconds = 2,
                          .warmup_s = 0.3,
                          .bytes = 64,
                          .direction = "down"};
char piece[PIECE_BYTES];

_Noreturn void die(const char *what) {
  fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
  exit(2);
}

static _Noreturn void usage(const char *fault) {
  fprintf(stderr, "load: %s\nusage: load origin|conn|echo|bulk|idle|udp [options], see main.c\n", fault);
  exit(2);
}

static long number(const char *text, long min, long max) {
  char *end;
  long value = strtol(text, &end, 10);
  if (*text == 0 || *end != 0 || value < min || value > max) usage("a number is out of range");
  return value;
}

static void parse(int argc, char **argv) {
  static const struct option known[] = {
      {"proxy", 1, 0, 'p'},       {"origin", 1, 0, 'o'},  {"user", 1, 0, 'u'},   {"name", 1, 0, 'n'},
      {"pid", 1, 0, 'i'},         {"count", 1, 0, 'c'},   {"seconds", 1, 0, 's'}, {"concurrency", 1, 0, 'j'},
      {"warmup", 1, 0, 'w'},      {"bytes", 1, 0, 'b'},   {"direction", 1, 0, 'd'}, {0, 0, 0, 0}};
  /* getopt_long skips the first argument: here the mode. */
  for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
    switch (option) {
      case 'p': options.proxy_port = number(optarg, 0, 65535); break;
      case 'o': options.origin_port = number(optarg, 1, 65535); break;
      case 'n': options.name = optarg; break;
      case 'c': options.count = number(optarg, 1, 100000000); break;
      case 'j': options.concurrency = number(optarg, 1, 60000); break;
      case 's': options.seconds = atof(optarg); break;
      case 'w': options.warmup_s = atof(optarg); break;
      case 'b': options.bytes = number(optarg, 1, PIECE_BYTES); break;
      case 'd': options.direction = optarg; break;
      case 'u': {
        char *colon = strchr(optarg, ':');
        if (!colon || colon - optarg > 255 || strlen(colon + 1) > 255) usage("--user is NAME:PASSWORD");
        *colon = 0;
        options.user = optarg;
        options.password = colon + 1;
        break;
      }
      case 'i':
        if (options.pid_count == (int)(sizeof options.pids / sizeof *options.pids)) usage("too many --pid");
        options.pids[options.pid_count++] = number(optarg, 1, 1 << 30);
        break;
      default: usage("unknown option");
    }
  }
  if (optind != argc) usage("too many arguments");
  if (options.name && strlen(options.name) > 255) usage("--name is too long");
}

static void take_all_descriptors(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit)) die("getrlimit");
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit)) die("setrlimit");
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    void (*run)(void);
  } modes[] = {
      {"origin", run_origin}, {"conn", run_conn}, {"echo", run_echo}, {"bulk", run_bulk}, {"idle", run_idle},
      {"udp", run_udp}};
  if (argc < 2) usage("no mode");
  signal(SIGPIPE, SIG_IGN);
  take_all_descriptors();
  memset(piece, 'x', sizeof piece);
  parse(argc - 1, argv + 1);
  for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
    if (strcmp(argv[1], modes[i].name)) continue;
    if (modes[i].run != run_origin && options.origin_port == 0) usage("--origin is wanted");
    modes[i].run();
    return 0;
  }
  usage("unknown mode");
}
