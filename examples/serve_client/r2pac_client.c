#define _GNU_SOURCE
#include "r2pac_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the frames are little-endian, and copied as they are"
#endif

enum {
  kInfo = 1,
  kFacts = 2,
  kAct = 3,
  kAnswer = 4,
  kRefusal = 5,
  kFailure = 6,
  kVersion = 1,
  kLongestText = 200
};
static const char kMagic[4] = {'R', '2', 'S', 'V'};

typedef struct {
  char magic[4];
  uint16_t version, type;
  uint32_t length, number;
} header;

typedef struct {
  uint64_t seed;
  int64_t step;
  double spent, deadline;
  int64_t sent;
  uint32_t episode, judged, observation_length, safe_length;
} act_fields;

_Static_assert(sizeof(header) == 16 && sizeof(act_fields) == 56 && sizeof(r2pac_client_answer) == 88 &&
                   sizeof(r2pac_client_facts) == 264,
               "structures are those of docs/serving.md");

static int say(r2pac_client *client, int status, const char *format, ...) {
  va_list values;
  va_start(values, format);
  vsnprintf(client->error, sizeof client->error, format, values);
  va_end(values);
  return status;
}

/* The connection is of no more use. */
static int lost(r2pac_client *client, const char *what) {
  const int number = errno;
  r2pac_client_close(client);
  return say(client, R2PAC_CLIENT_LOST, "%s%s%s", what, number ? ": " : "", number ? strerror(number) : "");
}

static int send_all(r2pac_client *client, struct iovec *parts, size_t count) {
  while (count > 0) {
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
    ssize_t went = sendmsg(client->socket, &message, MSG_NOSIGNAL);
    if (went < 0 && errno == EINTR) continue;
    /* The server may have said why before it hung up: that is read next. */
    if (went < 0 && (errno == EPIPE || errno == ECONNRESET)) return 0;
    if (went < 0) return lost(client, "the request cannot be sent");
    for (; count > 0 && (size_t)went >= parts->iov_len; ++parts, --count) went -= (ssize_t)parts->iov_len;
    if (count > 0) {
      parts->iov_base = (char *)parts->iov_base + went;
      parts->iov_len -= (size_t)went;
    }
  }
  return 0;
}

static int receive_all(r2pac_client *client, void *to, size_t length) {
  for (size_t got = 0; got < length;) {
    errno = 0;
    const ssize_t now = recv(client->socket, (char *)to + got, length - got, 0);
    if (now < 0 && errno == EINTR) continue;
    if (now <= 0) return lost(client, now == 0 ? "the server hung up" : "no answer came");
    got += (size_t)now;
  }
  return 0;
}

/* Sends a frame of which `parts` after the first are the payload. */
static int ask(r2pac_client *client, uint16_t type, struct iovec *parts, size_t count) {
  header head = {.version = kVersion, .type = type, .number = ++client->number};
  memcpy(head.magic, kMagic, sizeof kMagic);
  for (size_t i = 1; i < count; ++i) head.length += (uint32_t)parts[i].iov_len;
  parts[0] = (struct iovec){&head, sizeof head};
  if (client->socket < 0) return say(client, R2PAC_CLIENT_LOST, "there is no connection");
  return send_all(client, parts, count);
}

/* The head of the answer to the last request; a refusal or a failure becomes a status and a message. */
static int hear(r2pac_client *client, uint16_t type, uint32_t length) {
  header head;
  int status = receive_all(client, &head, sizeof head);
  if (status) return status;
  errno = 0;
  if (memcmp(head.magic, kMagic, sizeof kMagic) != 0 || head.version != kVersion)
    return lost(client, "what answers is no server of this version");
  if (head.type == kRefusal || head.type == kFailure) {
    uint32_t reason[2];
    char text[kLongestText + 1] = "";
    if (head.length < sizeof reason || head.length > sizeof reason + kLongestText)
      return lost(client, "the server's reason has a wrong length");
    status = receive_all(client, reason, sizeof reason);
    if (!status) status = receive_all(client, text, head.length - sizeof reason);
    if (status) return status;
    errno = 0;
    if (head.type == kFailure) return lost(client, text);
    return say(client, (int)reason[0], "%s", text);
  }
  if (head.type != type || head.length != length || head.number != client->number)
    return lost(client, "the server answers something else");
  return 0;
}

static int open_socket(const char *where, int *out) {
  union {
    struct sockaddr any;
    struct sockaddr_un local;
    struct sockaddr_in port;
  } address;
  memset(&address, 0, sizeof address);
  const char *const colon = strrchr(where, ':');
  socklen_t length;
  if (colon != NULL && strchr(where, '/') == NULL) {
    char host[64];
    if ((size_t)(colon - where) >= sizeof host) return ENAMETOOLONG;
    memcpy(host, where, (size_t)(colon - where));
    host[colon - where] = '\0';
    address.port.sin_family = AF_INET;
    address.port.sin_port = htons((uint16_t)atoi(colon + 1));
    if (inet_pton(AF_INET, host, &address.port.sin_addr) != 1) return EINVAL;
    length = sizeof address.port;
  } else {
    if (strlen(where) >= sizeof address.local.sun_path) return ENAMETOOLONG;
    address.local.sun_family = AF_UNIX;
    memcpy(address.local.sun_path, where, strlen(where) + 1);
    length = sizeof address.local;
  }
  *out = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  setsockopt(*out, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  return *out >= 0 && connect(*out, &address.any, length) == 0 ? 0 : errno;
}

int r2pac_client_connect(r2pac_client *client, const char *where, double timeout) {
  memset(client, 0, sizeof *client);
  client->socket = -1;
  errno = open_socket(where, &client->socket);
  if (errno) return lost(client, "no server can be reached");
  const struct timeval longest = {(time_t)timeout, (suseconds_t)((timeout - (double)(time_t)timeout) * 1e6)};
  setsockopt(client->socket, SOL_SOCKET, SO_RCVTIMEO, &longest, sizeof longest);
  setsockopt(client->socket, SOL_SOCKET, SO_SNDTIMEO, &longest, sizeof longest);
  struct iovec parts[1];
  int status = ask(client, kInfo, parts, 1);
  if (!status) status = hear(client, kFacts, sizeof client->facts);
  if (!status) status = receive_all(client, &client->facts, sizeof client->facts);
  if (status) r2pac_client_close(client);
  return status;
}

int r2pac_client_act(r2pac_client *client, const float *observation, size_t observation_length,
                     const r2pac_request *request, float *action, size_t action_length,
                     r2pac_client_answer *answer) {
  if (client->socket < 0) return say(client, R2PAC_CLIENT_LOST, "there is no connection");
  if (action_length != client->facts.action_length)
    return say(client, R2PAC_CLIENT_USAGE, "an action has %u numbers", client->facts.action_length);
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  const size_t safe_length = request->deadline != 0 && request->safe_action != NULL ? action_length : 0;
  act_fields fields = {request->seed,
                       request->step,
                       request->spent,
                       request->deadline,
                       (int64_t)now.tv_sec * 1000000000 + now.tv_nsec,
                       request->episode,
                       request->judged,
                       (uint32_t)observation_length,
                       (uint32_t)safe_length};
  struct iovec parts[4] = {{NULL, 0},
                           {&fields, sizeof fields},
                           {(void *)observation, observation_length * sizeof *observation},
                           {(void *)request->safe_action, safe_length * sizeof *action}};
  r2pac_client_answer heard;
  int status = ask(client, kAct, parts, 4);
  if (!status) status = hear(client, kAnswer, (uint32_t)(sizeof heard + action_length * sizeof *action));
  if (!status) status = receive_all(client, &heard, sizeof heard);
  if (!status && heard.action_length != action_length) {
    errno = 0;
    status = lost(client, "the server answers something else");
  }
  if (!status) status = receive_all(client, action, action_length * sizeof *action);
  if (!status && answer != NULL) *answer = heard;
  return status;
}

void r2pac_client_close(r2pac_client *client) {
  if (client->socket >= 0) close(client->socket);
  client->socket = -1;
}
