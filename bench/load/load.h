/* The load generator: what its parts know of each other. METHOD.md says what is measured and why. */
#ifndef LOAD_H
#define LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

/* ---- main.c ---- */

/* The command line. Ports are in host order; 0 as proxy_port goes straight to the origin. */
struct options {
  uint16_t proxy_port;
  uint16_t origin_port;
  const char *user;     /* RFC 1929; NULL: no authentication */
  const char *password;
  const char *name;     /* CONNECT by this name instead of 127.0.0.1 */
  uint8_t cmd;          /* what tunnels ask for: CMD of RFC 1928 section 4 */
  int pids[16];         /* the proxy: these processes and their descendants */
  int pid_count;
  long count;           /* conn: connections; idle: tunnels */
  int concurrency;      /* conn: connections at once; echo, bulk: tunnels; udp: associations */
  double seconds;       /* echo, bulk, udp: how long to measure */
  double warmup_s;      /* echo, bulk, udp: how long to run before */
  int bytes;            /* echo, udp: bytes of a message */
  const char *direction; /* bulk: down, up or both */
};
extern struct options options;

/* What an origin does with a connection: the first byte that it gets says so. */
#define HABIT_ECHO "E"
#define HABIT_SOURCE "S" /* sends for ever */
#define HABIT_SINK "K"   /* reads for ever */
#define HABIT_BOTH "B"   /* sends and reads for ever */

#define CMD_CONNECT 1
#define CMD_UDP_ASSOCIATE 3

/* No run lasts longer than this, whatever the proxy does. */
#define RUN_SECONDS_MAX 60.0
/* Size of one read or write of bulk data, in bytes. */
#define PIECE_BYTES (256 * 1024)
#define EVENTS_MAX 512

/* Reads and writes go through here: what is in it does not matter. */
extern char piece[PIECE_BYTES];

/* Prints the message and errno's meaning on stderr, and exits with 2. */
_Noreturn void die(const char *what);

/* ---- modes: each runs to its end and prints one JSON line ---- */

void run_origin(void);
void run_conn(void);
void run_echo(void);
void run_bulk(void);
void run_idle(void);
void run_udp(void);

/* ---- measure.c ---- */

/* Monotonic seconds. */
double now_s(void);

/* 0 when there is nothing to divide by. */
double ratio(double part, double whole);

/* What the proxy's processes, their threads and their children have used. */
struct usage {
  double cpu_s;  /* user and system, since their start, reaped children included */
  long rss_kib;  /* resident now; pages that processes share count for each */
};
struct usage usage_now(void);
/* The descriptors that they have open; those that may not be looked at count as none. */
long descriptors_now(void);

/* Remembers one latency. */
void latency_add(double seconds);
void latency_forget(void);
/* Prints `"latency_us":{…}` of all that was remembered; nothing remembered: null. */
void latency_print(void);

/* ---- tunnel.c ---- */

enum stage { STAGE_CONNECT, STAGE_METHOD, STAGE_USER, STAGE_REPLY, STAGE_OPEN };

/* One connection of ours, through the proxy or straight to the origin. */
struct tunnel {
  int fd;
  enum stage stage;
  const char *first;    /* sent when it is open: the habit, and what may follow */
  uint32_t events;      /* what epoll watches */
  double started_s;     /* when connect was called, or the message sent */
  int received;         /* bytes of the present message */
  uint8_t answer[22];   /* the handshake's answer, as far as it is there; the reply, when open */
  int answer_bytes;
};

enum progress { PROGRESS_PENDING, PROGRESS_OPEN, PROGRESS_FAILED };

/* Begins to connect; until it is open, the tunnel itself watches for what comes next. `first` is kept. */
struct tunnel *tunnel_start(int epoll, const char *first);
/* Goes on with the handshake. At PROGRESS_OPEN the first bytes have been sent. */
enum progress tunnel_advance(int epoll, struct tunnel *tunnel, uint32_t events);
void tunnel_watch(int epoll, struct tunnel *tunnel, uint32_t events);
/* Closes and frees. */
void tunnel_end(struct tunnel *tunnel);

int new_epoll(void);

/* Opens `count` tunnels, at most 128 at a time, into `tunnels`; returns how many are open. */
int tunnels_open(int epoll, struct tunnel **tunnels, int count, const char *first);

#endif
