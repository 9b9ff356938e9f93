// Where clients connect: a UNIX socket, or a port of the loopback.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>

#include "storage/posix.h"

namespace r2pac::serving {

/// A UNIX socket of the mode 0600. The file PATH.lock beside it says that a server is alive.
class UnixListener {
 public:
  /// Takes the place of a socket that no server listens at. Throws Error: usage for a path that is too long
  /// or names something else than a socket, which is left as it is; settings where another server is alive;
  /// disk.
  explicit UnixListener(std::filesystem::path path);
  /// Removes the socket and its lock, unless others have taken their places.
  ~UnixListener() { close(); }
  UnixListener(const UnixListener&) = delete;

  void close();
  int descriptor() const { return socket_.get(); }

 private:
  void hold();
  void require_free() const;

  std::filesystem::path path_, lock_path_;
  Descriptor lock_, socket_;
  ino_t number_ = 0;  // of the socket's file
};

/// A socket at 127.0.0.1:port; port 0: any that is free. Throws Error(settings) where the port is taken.
Descriptor listen_on_loopback(std::uint16_t port);
/// The port of such a socket.
std::uint16_t port_of(int socket);

/// The next client, whose socket does not block; invalid where there is none now.
Descriptor accept_client(int listener);

}  // namespace r2pac::serving
