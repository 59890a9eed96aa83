#include "runtime/data/readable.h"

#include "runtime/base/utf8.h"

#define ZLIB_CONST // what is read is not written
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace penstock {
namespace {

constexpr std::size_t chunk = std::size_t{64} << 10;
constexpr std::string_view gzipMark("\x1F\x8B"), zstdMark("\x28\xB5\x2F\xFD");

/// What unpacks a stream piece by piece.
class Unpacker {
public:
  virtual ~Unpacker() = default;
  /// Takes from `in` and puts into `out`; both move on. False: the bytes are damaged.
  virtual bool step(std::string_view &in, char *&out, std::size_t &room) = 0;
  /// Whether what was taken is whole.
  virtual bool whole() const = 0;
};

class Gzip final : public Unpacker {
public:
  Gzip() { good = inflateInit2(&stream, 15 + 16) == Z_OK; }
  ~Gzip() override { inflateEnd(&stream); }
  Gzip(const Gzip &) = delete;
  Gzip &operator=(const Gzip &) = delete;

  bool step(std::string_view &in, char *&out, std::size_t &room) override {
    if (ended && !in.empty()) {
      if (in.front() != gzipMark.front()) { // tapes are filled up with zeros
        const bool zeros = in.find_first_not_of('\0') == std::string_view::npos;
        in = {};
        return zeros;
      }
      ended = false;
      good = good && inflateReset(&stream) == Z_OK;
    }
    stream.next_in = reinterpret_cast<const Bytef *>(in.data());
    stream.avail_in = static_cast<uInt>(in.size());
    stream.next_out = reinterpret_cast<Bytef *>(out);
    stream.avail_out = static_cast<uInt>(room);
    const int result = good ? inflate(&stream, Z_NO_FLUSH) : Z_MEM_ERROR;
    in.remove_prefix(in.size() - stream.avail_in);
    out += room - stream.avail_out;
    room = stream.avail_out;
    ended = result == Z_STREAM_END;
    return result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR;
  }
  bool whole() const override { return ended; }

private:
  z_stream stream{};
  bool good = false, ended = false;
};

class Zstd final : public Unpacker {
public:
  Zstd() : stream(ZSTD_createDStream()) {}
  ~Zstd() override { ZSTD_freeDStream(stream); }
  Zstd(const Zstd &) = delete;
  Zstd &operator=(const Zstd &) = delete;

  bool step(std::string_view &in, char *&out, std::size_t &room) override {
    if (stream == nullptr) {
      return false;
    }
    ZSTD_inBuffer from = {in.data(), in.size(), 0};
    ZSTD_outBuffer to = {out, room, 0};
    const std::size_t left = ZSTD_decompressStream(stream, &to, &from);
    in.remove_prefix(from.pos);
    out += to.pos;
    room -= to.pos;
    ended = left == 0;
    return ZSTD_isError(left) == 0;
  }
  bool whole() const override { return ended; }

private:
  ZSTD_DStream *stream;
  bool ended = false;
};

class Unpacked final : public ByteSource {
public:
  Unpacked(std::unique_ptr<ByteSource> given, std::string name) : bytes(std::move(given)), name(std::move(name)) {}

  Result<std::size_t> read(char *into, std::size_t size) override {
    if (!looked) {
      PENSTOCK_TRY(look());
    }
    if (unpacker == nullptr) {
      if (held.empty()) {
        return bytes->read(into, size);
      }
      const std::size_t count = held.copy(into, size);
      held.remove_prefix(count);
      return count;
    }
    char *out = into;
    std::size_t room = std::min(size, std::size_t{1} << 30);
    while (out == into) {
      if (held.empty() && !ended) {
        PENSTOCK_TRY(more());
      }
      if (held.empty() && ended) {
        if (!unpacker->whole()) { // what is still held within it comes first
          PENSTOCK_TRY(step(out, room));
        }
        return out != into || unpacker->whole() ? Result<std::size_t>(static_cast<std::size_t>(out - into))
                                                : invalidInput(name + " is cut off: what is packed in it goes on behind its end");
      }
      PENSTOCK_TRY(step(out, room));
    }
    return static_cast<std::size_t>(out - into);
  }
  bool ready() override { return !held.empty() || ended || bytes->ready(); }

private:
  Status step(char *&out, std::size_t &room) {
    return unpacker->step(held, out, room) ? Status() : invalidInput(name + " is damaged: it cannot be unpacked");
  }

  /// Only as far as the first bytes may be a mark: somebody may be typing.
  Status look() {
    looked = true;
    const auto mayBe = [&](std::string_view mark) { return mark.substr(0, held.size()) == held.substr(0, mark.size()); };
    const auto open = [&] {
      return (held.size() < gzipMark.size() && mayBe(gzipMark)) || (held.size() < zstdMark.size() && mayBe(zstdMark));
    };
    while (open() && !ended) {
      PENSTOCK_TRY(more());
    }
    if (held.starts_with(gzipMark)) {
      unpacker = std::make_unique<Gzip>();
    } else if (held.starts_with(zstdMark)) {
      unpacker = std::make_unique<Zstd>();
    }
    return {};
  }

  Status more() {
    std::string rest(held);
    rest.resize(held.size() + chunk);
    const Result<std::size_t> got = bytes->read(rest.data() + held.size(), chunk);
    PENSTOCK_TRY(got.status());
    rest.resize(held.size() + *got);
    ended = *got == 0;
    buffer = std::move(rest);
    held = buffer;
    return {};
  }

  std::unique_ptr<ByteSource> bytes;
  const std::string name;
  std::unique_ptr<Unpacker> unpacker;
  std::string buffer;
  std::string_view held; // of `buffer`: read, and not yet used
  bool looked = false, ended = false;
};

// Of the bytes 0x80 to 0x9F; the five without a character are those of latin1.
constexpr char32_t cp1252[] = {0x20AC, 0x81,   0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
                               0x2039, 0x0152, 0x8D,   0x017D, 0x8F,   0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
                               0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D,   0x017E, 0x0178};

class Decoded final : public ByteSource {
public:
  Decoded(std::unique_ptr<ByteSource> given, Encoding encoding, std::string name)
      : bytes(std::move(given)), encoding(encoding), name(std::move(name)) {}

  Result<std::size_t> read(char *into, std::size_t size) override {
    while (at == text.size() && !ended) {
      PENSTOCK_TRY(fill());
    }
    const std::size_t count = text.copy(into, size, at);
    at += count;
    return count;
  }
  bool ready() override { return at < text.size() || ended || bytes->ready(); }

private:
  Status fill() {
    text.clear();
    at = 0;
    char raw[chunk / 4];
    const Result<std::size_t> got = bytes->read(raw, sizeof raw);
    PENSTOCK_TRY(got.status());
    ended = *got == 0;
    carried.append(raw, *got);
    if (!begun && carried.size() < 4 && !ended) {
      return {}; // marks have at most three bytes
    }
    if (!begun && carried.starts_with("\xEF\xBB\xBF")) {
      return invalidInput(name + " begins with the mark of UTF-8, and another `encoding` is said of it");
    }
    encoding == Encoding::utf16 ? takePairs() : takeBytes();
    begun = true;
    return {};
  }

  void takeBytes() {
    for (const char byte : carried) {
      const auto value = static_cast<unsigned char>(byte);
      appendUtf8(text, encoding == Encoding::cp1252 && value >= 0x80 && value < 0xA0 ? cp1252[value - 0x80] : char32_t{value});
    }
    carried.clear();
  }

  void takePairs() {
    if (!begun) {
      const auto byte = [&](std::size_t place) { return place < carried.size() ? static_cast<unsigned char>(carried[place]) : 0xFFU; };
      const bool big = byte(0) == 0xFE && byte(1) == 0xFF, little = byte(0) == 0xFF && byte(1) == 0xFE;
      bigEndian = big || (!little && byte(0) == 0 && byte(1) != 0);
      carried.erase(0, big || little ? 2 : 0);
    }
    std::size_t used = 0;
    for (; used + 1 < carried.size(); used += 2) {
      const auto first = static_cast<unsigned char>(carried[used]), second = static_cast<unsigned char>(carried[used + 1]);
      const auto unit = static_cast<char32_t>(bigEndian ? first << 8 | second : second << 8 | first);
      if (unit >= 0xDC00 && unit < 0xE000 && high != 0) {
        appendUtf8(text, 0x10000 + ((high - 0xD800) << 10) + (unit - 0xDC00));
        high = 0;
        continue;
      }
      putHalf(high);
      high = unit >= 0xD800 && unit < 0xDC00 ? unit : 0;
      if (unit >= 0xDC00 && unit < 0xE000) {
        putHalf(unit);
      } else if (high == 0) {
        appendUtf8(text, unit);
      }
    }
    carried.erase(0, used);
    if (ended) {
      putHalf(high);
      high = 0;
      text += carried.empty() ? "" : "\xFF"; // half a unit
      carried.clear();
    }
  }

  /// Half of a character in the bytes that it would have: none of UTF-8.
  void putHalf(char32_t unit) {
    if (unit != 0) {
      text += static_cast<char>(0xE0 | unit >> 12);
      text += static_cast<char>(0x80 | (unit >> 6 & 0x3F));
      text += static_cast<char>(0x80 | (unit & 0x3F));
    }
  }

  std::unique_ptr<ByteSource> bytes;
  const Encoding encoding;
  const std::string name;
  std::string carried, text; // bytes that are no text yet; text that nobody read yet
  std::size_t at = 0;
  char32_t high = 0; // the first half of a character
  bool bigEndian = false, begun = false, ended = false;
};

} // namespace

std::unique_ptr<ByteSource> unpacked(std::unique_ptr<ByteSource> bytes, std::string name) {
  return std::make_unique<Unpacked>(std::move(bytes), std::move(name));
}

std::unique_ptr<ByteSource> decoded(std::unique_ptr<ByteSource> bytes, Encoding encoding, std::string name) {
  return encoding == Encoding::utf8 ? std::move(bytes) : std::make_unique<Decoded>(std::move(bytes), encoding, std::move(name));
}

Encoding likelyEncoding(std::string_view text) {
  const bool hasNone = text.find_first_of("\x81\x8D\x8F\x90\x9D") != std::string_view::npos;
  return hasNone ? Encoding::latin1 : Encoding::cp1252;
}

} // namespace penstock
