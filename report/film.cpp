#include "report/film.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <span>

#include "base/error.h"
#include "envs/environment.h"
#include "storage/atomic_file.h"

namespace r2pac {
namespace {

constexpr ExternalProgram kFfmpeg{"ffmpeg", "the moving picture", "install it with `./setup.sh --render`"};
constexpr char kTodo[] = "ffmpeg 5 or newer with libx264 is needed, and space in TMPDIR";
constexpr char kRecord[] = "film.mkv";
constexpr std::size_t kPicturesPerSecond = 20, kMostPictures = 120 * kPicturesPerSecond;
constexpr std::size_t kMostBytes = std::size_t{1} << 30;

std::vector<std::string> quiet(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"-nostdin", "-loglevel", "error", "-y"});
  return arguments;
}

}  // namespace

void require_ffmpeg(const std::string& flag) { require_installed(kFfmpeg, flag); }

void write_movie(const TemporaryFolder& folder, const std::string& name, const std::string& path,
                 const std::function<bool()>& stop) {
  const auto run = [&](std::vector<std::string> arguments) {
    folder.run(kFfmpeg, quiet(std::move(arguments)), path, kTodo, stop);
  };
  std::string encoded = "film.mp4";
  if (path.ends_with(".gif")) {
    encoded = "film.gif";
    // The palette in a run of its own: in one with the film, ffmpeg would hold all of it in memory.
    run({"-i", name, "-vf", "palettegen=stats_mode=full", "palette.png"});
    run({"-i", name, "-i", "palette.png", "-lavfi", "paletteuse=dither=none:diff_mode=rectangle", "-loop",
         "0", encoded});
  } else {
    // Players want pixels in groups of two by two.
    run({"-i", name, "-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-c:v", "libx264", "-crf", "20", "-pix_fmt",
         "yuv420p", "-movflags", "+faststart", encoded});
  }
  write_file_atomically(path, read_file(folder.path() / encoded, kMostBytes, ExitCode::disk));
}

Film::~Film() {
  if (child_ <= 0) return;
  kill(child_, SIGKILL);
  while (waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void Film::start(const CameraPicture& first) {
  // A socket, whose broken end is no signal, and which gives up now and then to ask whether to stop.
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    throw Error(ExitCode::disk, std::string("cannot make a socket: ") + std::strerror(errno));
  input_ = Descriptor(ends[0]);
  const Descriptor childs(ends[1]);
  const timeval look{.tv_sec = 0, .tv_usec = 100'000};
  setsockopt(input_.get(), SOL_SOCKET, SO_SNDTIMEO, &look, sizeof look);
  width_ = first.width;
  height_ = first.height;
  folder_.emplace();
  child_ = folder_->start(kFfmpeg,
                          quiet({"-f", "rawvideo", "-pixel_format", "rgb24", "-video_size",
                                 std::to_string(width_) + "x" + std::to_string(height_), "-framerate",
                                 std::to_string(kPicturesPerSecond), "-i", "pipe:0", "-c:v", "libx264rgb",
                                 "-preset", "ultrafast", "-qp", "0", kRecord}),
                          childs.get());
}

bool Film::add(const CameraPicture& picture) {
  if (pictures_ >= kMostPictures) return false;
  if (pictures_ == 0) start(picture);
  if (picture.width != width_ || picture.height != height_)
    throw Error(ExitCode::environment,
                "a picture has " + std::to_string(picture.width) + " x " + std::to_string(picture.height) +
                    " pixels, and the first one had " + std::to_string(width_) + " x " +
                    std::to_string(height_),
                "", "the environment has to draw all of one size");
  for (std::span<const std::uint8_t> rest = picture.pixels; !rest.empty();) {
    const ssize_t sent = send(input_.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      rest = rest.subspan(static_cast<std::size_t>(sent));
    } else if (errno != EAGAIN && errno != EINTR) {
      finish();  // says why it has ended
      throw Error(ExitCode::disk, "ffmpeg ended before the film did", "ffmpeg", kTodo);
    } else if (stop_ && stop_()) {
      throw Interrupted();
    }
  }
  ++pictures_;
  return true;
}

void Film::finish() {
  if (child_ <= 0) throw InvalidArgument("Film::finish: there is no picture");
  input_.close();
  folder_->wait(std::exchange(child_, -1), kFfmpeg, "ffmpeg", kTodo, stop_);
}

void Film::write(const std::string& path) const { write_movie(*folder_, kRecord, path, stop_); }

}  // namespace r2pac
