// Reads and writes safetensors files (https://github.com/huggingface/safetensors, format of 2023): 8 bytes little-endian
// length, a JSON header, then the tensors' bytes without gaps. Ours are float32; those of others may hold any type.
#pragma once

#include "runtime/base/status.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace penstock {

/// A float32 tensor, row-major; the owner of `data` is somebody else.
struct TensorView {
  std::string name;
  std::vector<std::int64_t> shape;
  const float *data = nullptr;
  std::int64_t elements = 0;
};

/// The name of the first tensor that holds a number which is none (NaN or an infinity); "" where all are finite.
std::string firstNotFinite(const std::vector<TensorView> &tensors);

/// A tensor of any type as it lies in a file: `data` need not be aligned.
struct StoredTensor {
  std::string name, type; // "F32", "F16", "BF16", "I64", ...
  std::vector<std::int64_t> shape;
  const unsigned char *data = nullptr;
  std::int64_t elements = 0;
};

/// Writes the tensors atomically (AtomicFile) in the order given; returns the file's XXH64 as hexadecimal digits.
Result<std::string> writeSafetensors(const std::string &path, const std::vector<TensorView> &tensors,
                                     const std::map<std::string, std::string> &metadata, bool durableName = true);

/// A file read and checked; the views live as long as it does.
class SafetensorsFile {
public:
  /// Maps the file and checks all that the format demands: a header of at most 100 MB that begins with `{` and has no key twice, known
  /// types, shapes that agree with the ranges of bytes, and that the ranges follow one another from the header's end to the file's,
  /// without overlaps or holes; and the XXH64 of the whole file where `hash` is not empty. `tensors` and `stored` stand in the order of
  /// their bytes.
  static Result<std::shared_ptr<const SafetensorsFile>> open(const std::string &path, const std::string &hash = "");
  /// The same for a file that may hold other types than float32; `tensors` then lists only the float32 ones that are aligned.
  static Result<std::shared_ptr<const SafetensorsFile>> openAny(const std::string &path);
  /// What `open` does, of the bytes of a file that lie in memory, at a multiple of 8, and outlive this; `path` is for messages.
  static Result<std::shared_ptr<const SafetensorsFile>> lent(std::string_view bytes, const std::string &path);
  std::string_view bytes() const { return {reinterpret_cast<const char *>(mapped), size}; }
  ~SafetensorsFile();
  SafetensorsFile(const SafetensorsFile &) = delete;
  SafetensorsFile &operator=(const SafetensorsFile &) = delete;

  const std::vector<TensorView> &tensors() const { return views; }
  const std::vector<StoredTensor> &stored() const { return all; }
  const TensorView *find(const std::string &name) const;
  const std::map<std::string, std::string> &metadata() const { return meta; }

private:
  SafetensorsFile() = default;
  static Result<std::shared_ptr<SafetensorsFile>> map(const std::string &path);
  Status parse(const std::string &path, bool anyType);

  const unsigned char *mapped = nullptr;
  bool owned = true;
  std::size_t size = 0;
  std::vector<TensorView> views;
  std::vector<StoredTensor> all;
  std::map<std::string, std::size_t> byName;
  std::map<std::string, std::string> meta;
};

} // namespace penstock
