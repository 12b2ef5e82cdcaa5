#include "base/error.h"

#include <cerrno>
#include <cstring>
#include <utility>

namespace lifeboat {

struct Error::Rep {
  ErrorCode code;
  std::string what;
  std::string why;
  std::string fix;
};

Error::Error(ErrorCode code, std::string what, std::string why, std::string fix)
    : rep_(std::make_shared<const Rep>(Rep{code, std::move(what), std::move(why), std::move(fix)})) {}

ErrorCode Error::code() const { return rep_->code; }
const std::string& Error::what() const { return rep_->what; }
const std::string& Error::why() const { return rep_->why; }

std::string Error::fix() const { return rep_->fix.empty() ? std::string(entry_of(rep_->code).hint) : rep_->fix; }

Error Error::in(std::string_view context) const {
  std::string what(context);
  what += ": ";
  what += rep_->what;
  return Error(rep_->code, std::move(what), rep_->why, rep_->fix);
}

Error Error::with_fix(std::string fix) const { return Error(rep_->code, rep_->what, rep_->why, std::move(fix)); }

std::string Error::to_string() const {
  std::string line = rep_->what;
  if (!rep_->why.empty()) line += ": " + rep_->why;
  return line + " (" + code_text(rep_->code) + ")";
}

std::unexpected<Error> fail(ErrorCode code, std::string what, std::string why, std::string fix) {
  return std::unexpected(Error(code, std::move(what), std::move(why), std::move(fix)));
}

namespace {

ErrorCode storage_code(int error_number) {
  switch (error_number) {
    case ENOSPC:
    case EDQUOT:
      return ErrorCode::kStorageFull;
    case EROFS:
      return ErrorCode::kStorageReadOnly;
    case EACCES:
    case EPERM:
      return ErrorCode::kStoragePermission;
    case ENOENT:
    case ENOTDIR:  // something on the way is a file, so what is asked for cannot exist
      return ErrorCode::kFileNotFound;
    case ELOOP:
    case ENAMETOOLONG:
    case EISDIR:
    case ESPIPE:
    case ENXIO:
      return ErrorCode::kUnreadableInput;
    default:
      return ErrorCode::kStorageFailed;
  }
}

// For mistakes in a path, which no disk is to blame for; empty: the catalogue's hint.
std::string_view fix_of(int error_number) {
  switch (error_number) {
    case ENOTDIR:
      return "A part of the path is a file where a folder belongs: `namei -l PATH` shows each part.";
    case ELOOP:
      return "Its symbolic links lead round in a circle: `namei -l PATH` shows each part.";
    case ENAMETOOLONG:
      return "Use a shorter path: a name has at most 255 bytes, a path 4095.";
    case EISDIR:
      return "Name a file; this is a folder.";
    case ESPIPE:
    case ENXIO:
      return "It is a pipe, a socket or a device: write what it gives into a file, and name that.";
    default:
      return {};
  }
}

}  // namespace

Error system_error(int error_number, std::string what) {
  const char* text = strerrordesc_np(error_number);  // unlike strerror, safe between threads
  return Error(storage_code(error_number), std::move(what),
               text != nullptr ? text : "error number " + std::to_string(error_number),
               std::string(fix_of(error_number)));
}

}  // namespace lifeboat
