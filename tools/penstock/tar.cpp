#include "tools/penstock/tar.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <numeric>

namespace penstock {
namespace {

constexpr std::size_t block = 512;

struct Header {
  char name[100], mode[8], owner[8], group[8], size[12], time[12], sum[8], type, link[100];
  char magic[6], version[2], ownerName[32], groupName[32], device[16], prefix[155], padding[12];
};
static_assert(sizeof(Header) == block);

void octal(char *field, std::size_t size, std::uint64_t value) {
  const std::string digits = fmt::format("{:0{}o}", value, size - 1);
  std::memcpy(field, digits.data(), size - 1);
}

} // namespace

Status TarWriter::add(const std::string &name, std::string_view bytes) {
  Header header{};
  // A name that is too long gives its folders to the prefix.
  const std::size_t slash = name.size() <= sizeof header.name ? std::string::npos : name.find('/', name.size() - sizeof header.name - 1);
  const std::string_view last = slash == std::string::npos ? name : std::string_view(name).substr(slash + 1);
  const std::string_view folders = slash == std::string::npos ? std::string_view() : std::string_view(name).substr(0, slash);
  if (last.size() > sizeof header.name || folders.size() > sizeof header.prefix) {
    return invalidInput("the name `" + name + "` is too long for a tar");
  }
  std::memcpy(header.name, last.data(), last.size());
  std::memcpy(header.prefix, folders.data(), folders.size());
  octal(header.mode, sizeof header.mode, 0644);
  octal(header.owner, sizeof header.owner, 0);
  octal(header.group, sizeof header.group, 0);
  octal(header.time, sizeof header.time, 0);
  if (bytes.size() >> 33 == 0) {
    octal(header.size, sizeof header.size, bytes.size());
  } else { // of 8 GiB and more the digits are bytes, behind a set bit, which every tar of today reads
    header.size[0] = static_cast<char>(0x80);
    for (std::size_t i = 0; i < 8; ++i) {
      header.size[sizeof header.size - 1 - i] = static_cast<char>(bytes.size() >> (8 * i));
    }
  }
  header.type = '0';
  std::memcpy(header.magic, "ustar", sizeof header.magic);
  std::memcpy(header.version, "00", sizeof header.version);
  std::memset(header.sum, ' ', sizeof header.sum);
  const auto *const raw = reinterpret_cast<const unsigned char *>(&header);
  octal(header.sum, sizeof header.sum - 1, std::accumulate(raw, raw + block, std::uint64_t{0}));
  header.sum[sizeof header.sum - 2] = '\0';
  PENSTOCK_TRY(file.write(&header, sizeof header));
  PENSTOCK_TRY(file.write(bytes));
  return file.write(std::string((block - bytes.size() % block) % block, '\0'));
}

Status TarWriter::end() { return file.write(std::string(2 * block, '\0')); }

} // namespace penstock
