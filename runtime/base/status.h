// Status and Result<T>: how every fallible function of Penstock reports failure.
//
// A Status holds a code that maps to the command's exit code and a message for a person: lower case,
// code in backticks, the situation first, then the rule, then the hint. No exception crosses a
// function boundary in this project; libraries that throw are wrapped where they are called.
#pragma once

#include <cstdlib>
#include <optional>
#include <string>
#include <utility>

namespace penstock {

enum class ErrorCode {
  ok = 0,
  invalidInput, // a mistake in the `.pipe` file or in the data: exit 1
  usage,        // a mistake on the command line: exit 2
  expectFailed, // an `expect` of the file does not hold: exit 3
  environment,  // I/O, permissions, a full disk, an unsuitable machine: exit 4
  interrupted,  // Ctrl-C: exit 130
  internal,     // a mistake of ours: exit 4, with the advice to report it
};

/// The exit code of the command for `code`.
constexpr int exitCodeOf(ErrorCode code) {
  switch (code) {
  case ErrorCode::ok:
    return 0;
  case ErrorCode::invalidInput:
    return 1;
  case ErrorCode::usage:
    return 2;
  case ErrorCode::expectFailed:
    return 3;
  case ErrorCode::environment:
  case ErrorCode::internal:
    return 4;
  case ErrorCode::interrupted:
    return 130;
  }
  return 4;
}

class [[nodiscard]] Status {
public:
  Status() = default;
  Status(ErrorCode code, std::string message) : errorCode(code), text(std::move(message)) {}

  static Status success() { return {}; }

  bool ok() const { return errorCode == ErrorCode::ok; }
  explicit operator bool() const { return ok(); }
  ErrorCode code() const { return errorCode; }
  const std::string &message() const { return text; }

private:
  ErrorCode errorCode = ErrorCode::ok;
  std::string text;
};

inline Status invalidInput(std::string message) { return {ErrorCode::invalidInput, std::move(message)}; }
inline Status usageError(std::string message) { return {ErrorCode::usage, std::move(message)}; }
inline Status environmentError(std::string message) { return {ErrorCode::environment, std::move(message)}; }
inline Status internalError(std::string message) { return {ErrorCode::internal, std::move(message)}; }

/// Either a value or the Status that says why there is none. `value()` on a failure aborts: test
/// `ok()` first or use PENSTOCK_ASSIGN.
template <typename T> class [[nodiscard]] Result {
public:
  Result(T value) : held(std::move(value)) {}
  Result(Status failure) : failed(std::move(failure)) {
    if (failed.ok()) {
      failed = internalError("a Result was made from a success without a value");
    }
  }

  bool ok() const { return held.has_value(); }
  explicit operator bool() const { return ok(); }
  const Status &status() const { return failed; }

  T &value() & {
    require();
    return *held;
  }
  const T &value() const & {
    require();
    return *held;
  }
  T &&value() && {
    require();
    return std::move(*held);
  }
  T &operator*() & { return value(); }
  const T &operator*() const & { return value(); }
  T *operator->() { return &value(); }
  const T *operator->() const { return &value(); }

private:
  void require() const {
    if (!held) {
      std::abort();
    }
  }
  std::optional<T> held;
  Status failed;
};

} // namespace penstock

#define PENSTOCK_CONCAT_INNER(a, b) a##b
#define PENSTOCK_CONCAT(a, b) PENSTOCK_CONCAT_INNER(a, b)

/// Returns from the enclosing function when `expression` (a Status) is a failure.
#define PENSTOCK_TRY(expression)                                                                                                           \
  do {                                                                                                                                     \
    ::penstock::Status penstockStatus = (expression);                                                                                      \
    if (!penstockStatus.ok()) {                                                                                                            \
      return penstockStatus;                                                                                                               \
    }                                                                                                                                      \
  } while (false)

/// Declares `target` from `expression` (a Result<T>), or returns its Status.
#define PENSTOCK_ASSIGN(target, expression) PENSTOCK_ASSIGN_INNER(PENSTOCK_CONCAT(penstockResult, __LINE__), target, expression)
#define PENSTOCK_ASSIGN_INNER(holder, target, expression)                                                                                  \
  auto holder = (expression);                                                                                                              \
  if (!holder.ok()) {                                                                                                                      \
    return holder.status();                                                                                                                \
  }                                                                                                                                        \
  target = std::move(holder).value()
