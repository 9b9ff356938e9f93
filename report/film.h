// Moving pictures by the program ffmpeg.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "envs/picture.h"
#include "report/temporary_folder.h"
#include "storage/posix.h"

namespace r2pac {

/// Throws Error(usage) with what to install where ffmpeg is missing. flag  what asks for it
void require_ffmpeg(const std::string& flag);

/// Encodes the moving picture `name` of the folder as .mp4 (H.264) or .gif by the ending of `path`, and moves
/// it to its path in one step. stop  asked while ffmpeg works; true: Interrupted Throws Error(disk): ffmpeg
/// is missing or fails, or the file cannot be written.
void write_movie(const TemporaryFolder& folder, const std::string& name, const std::string& path,
                 const std::function<bool()>& stop = {});

/// A moving picture that is recorded picture by picture, without loss, in a temporary folder: 20 to a second,
/// at most two minutes. Its program ends with the object. Other errors as write_movie().
class Film {
 public:
  /// stop  asked while ffmpeg works; true: Interrupted
  explicit Film(std::function<bool()> stop = {}) : stop_(std::move(stop)) {}
  ~Film();
  Film(const Film&) = delete;
  Film& operator=(const Film&) = delete;

  /// The first picture starts ffmpeg. Throws Error(environment) where a later one has another size. False: it
  /// is full, and nothing was added.
  bool add(const CameraPicture& picture);

  /// Ends the recording. Throws InvalidArgument where there is no picture.
  void finish();
  /// After finish(): encodes it into a file, .mp4 or .gif.
  void write(const std::string& path) const;

 private:
  void start(const CameraPicture& first);

  std::function<bool()> stop_;
  std::optional<TemporaryFolder> folder_;
  Descriptor input_;
  pid_t child_ = -1;  // -1: not started, or ended
  std::uint32_t width_ = 0, height_ = 0;
  std::size_t pictures_ = 0;
};

}  // namespace r2pac
