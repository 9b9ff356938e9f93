#include "serving/listening.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace r2pac::serving {
namespace {

constexpr int kBacklog = 128;

Descriptor new_socket(int family) {
  Descriptor socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid())
    throw Error(ExitCode::disk, std::string("a socket cannot be made: ") + std::strerror(errno), "",
                "raise the limit on open files (`ulimit -n`)");
  return socket;
}

sockaddr_un address_of(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.native().empty() || path.native().size() >= sizeof address.sun_path)
    throw Error(ExitCode::usage,
                "the path of a socket has 1 to " + std::to_string(sizeof address.sun_path - 1) + " bytes",
                path.string(), "give another --socket, for example in /tmp or /run");
  std::memcpy(address.sun_path, path.c_str(), path.native().size());
  return address;
}

template <class Address>
bool call(int (*function)(int, const sockaddr*, socklen_t), int socket, const Address& address) {
  return function(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

Error in_use(const std::filesystem::path& path) {
  return {ExitCode::settings, "another server listens at this socket", path.string(),
          "stop that one, or give another --socket"};
}

Error cannot_listen(const std::filesystem::path& path, int number) {
  return {ExitCode::disk, std::string("the socket cannot be made: ") + std::strerror(number), path.string(),
          "give a --socket in a folder that is there and that you may write into"};
}

}  // namespace

UnixListener::UnixListener(std::filesystem::path path)
    : path_(std::move(path)), lock_path_(path_.string() + ".lock") {
  const sockaddr_un address = address_of(path_);
  require_free();  // before anything is made
  hold();
  require_free();
  ::unlink(path_.c_str());
  socket_ = new_socket(AF_UNIX);
  const mode_t before = ::umask(0177);
  const bool bound = call(::bind, socket_.get(), address);
  const int number = errno;
  ::umask(before);
  struct stat status {};
  if (!bound || ::listen(socket_.get(), kBacklog) != 0 || ::lstat(path_.c_str(), &status) != 0) {
    const Error error = cannot_listen(path_, bound ? errno : number);
    if (bound) ::unlink(path_.c_str());
    ::unlink(lock_path_.c_str());
    throw error;
  }
  number_ = status.st_ino;
}

/// Refuses a path at which there is something else than a socket, or a socket that somebody listens at.
void UnixListener::require_free() const {
  struct stat status {};
  if (::lstat(path_.c_str(), &status) != 0) return;
  if (!S_ISSOCK(status.st_mode))
    throw Error(ExitCode::usage, "there is something else than a socket", path_.string(),
                "give another --socket; it is left as it is");
  const Descriptor probe = new_socket(AF_UNIX);
  // EAGAIN: somebody listens, whose clients wait already.
  if (call(::connect, probe.get(), address_of(path_)) || errno == EAGAIN) throw in_use(path_);
}

/// Locks the file beside the socket. Its last holder may have removed it meanwhile.
void UnixListener::hold() {
  for (;;) {
    lock_ = open_descriptor(lock_path_, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    if (!lock_.valid()) throw cannot_listen(path_, errno);
    if (!lock_now(lock_.get())) {
      if (errno == EWOULDBLOCK) throw in_use(path_);
      return;  // the file system knows no locks
    }
    struct stat held {
    }, there{};
    if (::fstat(lock_.get(), &held) == 0 && ::stat(lock_path_.c_str(), &there) == 0 &&
        held.st_ino == there.st_ino)
      return;
  }
}

void UnixListener::close() {
  struct stat status {};
  if (socket_.valid() && ::lstat(path_.c_str(), &status) == 0 && status.st_ino == number_)
    ::unlink(path_.c_str());
  if (lock_.valid()) ::unlink(lock_path_.c_str());
  socket_.close();
  lock_.close();
}

Descriptor listen_on_loopback(std::uint16_t port) {
  Descriptor socket = new_socket(AF_INET);
  const int yes = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (!call(::bind, socket.get(), address) || ::listen(socket.get(), kBacklog) != 0)
    throw Error(ExitCode::settings,
                "port " + std::to_string(port) + " of the loopback cannot be used: " + std::strerror(errno),
                "", "give another port, or 0 for any that is free");
  return socket;
}

std::uint16_t port_of(int socket) {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  return ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &length) == 0 ? ntohs(address.sin_port)
                                                                                    : std::uint16_t{0};
}

Descriptor accept_client(int listener) {
  Descriptor client(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  const int yes = 1;  // which a UNIX socket does not know
  if (client.valid()) ::setsockopt(client.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  return client;
}

}  // namespace r2pac::serving
