#include "runtime/data/readable.h"

#include "runtime/base/utf8.h"
#include "runtime/data/rows.h"

#include "support.h"

#include <gtest/gtest.h>

#define ZLIB_CONST // what is read is not written
#include <zlib.h>
#include <zstd.h>

namespace penstock {
namespace {

using test::Pieces;

std::string all(ByteSource &bytes, Status *end = nullptr) {
  std::string text;
  for (char buffer[37];;) {
    const Result<std::size_t> got = bytes.read(buffer, sizeof buffer);
    if (end != nullptr) {
      *end = got.status();
    } else {
      EXPECT_TRUE(got.ok()) << got.status().message();
    }
    if (!got.ok() || *got == 0) {
      return text;
    }
    text.append(buffer, *got);
  }
}

std::string gzipped(const std::string &text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string packed(text.size() + 1000, '\0');
  stream.next_in = reinterpret_cast<const Bytef *>(text.data());
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef *>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}
std::string zstded(const std::string &text) {
  std::string packed(ZSTD_compressBound(text.size()), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), text.data(), text.size(), 3));
  return packed;
}
std::string longText() {
  std::string text;
  for (int i = 0; i < 20011; ++i) {
    text += "row " + std::to_string(i * 7919 % 10007) + ",\xC3\xA9\n";
  }
  return text;
}

TEST(Readable, UnpacksByContent) {
  for (const std::string &text : {std::string(), std::string("a,b\n1,2\n"), longText(), std::string("(x)\n"), std::string("(")}) {
    for (const std::size_t piece : {1U, 7U, 1U << 20}) {
      for (const std::string &bytes : {text, gzipped(text), zstded(text)}) {
        const auto source = unpacked(std::make_unique<Pieces>(bytes, piece), "`a`");
        EXPECT_TRUE(all(*source) == text) << text.size() << " " << piece;
      }
    }
  }
  const std::string text = longText();
  EXPECT_TRUE(all(*unpacked(std::make_unique<Pieces>(gzipped(text) + gzipped("end"), 1000), "`a`")) == text + "end") << "members";
  EXPECT_TRUE(all(*unpacked(std::make_unique<Pieces>(gzipped(text) + std::string(512, '\0'), 1000), "`a`")) == text) << "zeros behind";
  EXPECT_TRUE(all(*unpacked(std::make_unique<Pieces>(zstded(text) + zstded("end"), 1000), "`a`")) == text + "end") << "frames";
}

TEST(Readable, NamesWhatIsDamaged) {
  const std::string text = longText();
  for (const std::string &packed : {gzipped(text), zstded(text)}) {
    Status end;
    all(*unpacked(std::make_unique<Pieces>(packed.substr(0, packed.size() / 2), 1000), "`a.gz`"), &end);
    EXPECT_EQ(end.code(), ErrorCode::invalidInput);
    EXPECT_NE(end.message().find("`a.gz` is cut off"), std::string::npos) << end.message();
    std::string bad = packed;
    for (std::size_t i = bad.size() / 2; i < bad.size() / 2 + 40; ++i) {
      bad[i] = static_cast<char>(bad[i] ^ 0x5A);
    }
    all(*unpacked(std::make_unique<Pieces>(bad, 1000), "`a.gz`"), &end);
    EXPECT_EQ(end.code(), ErrorCode::invalidInput);
  }
}

TEST(Readable, DecodesWhatIsSaid) {
  const auto read = [](const std::string &bytes, Encoding encoding) {
    const std::string once = all(*decoded(std::make_unique<Pieces>(bytes, 1U << 20), encoding, "`a`"));
    EXPECT_EQ(all(*decoded(std::make_unique<Pieces>(bytes, 1), encoding, "`a`")), once);
    return once;
  };
  EXPECT_EQ(read("caf\xE9 \x80 \x93quoted\x94 \x81", Encoding::cp1252), "caf\u00e9 \u20ac \u201cquoted\u201d \xC2\x81");
  EXPECT_EQ(read("caf\xE9 \x80", Encoding::latin1), "caf\u00e9 \xC2\x80");
  const std::string little("\xFF\xFE"
                           "a\0"
                           "\xE9\0"
                           "\x3D\xD8\x00\xDE"
                           "\n\0",
                           12),
      big("\xFE\xFF"
          "\0a"
          "\0\xE9"
          "\xD8\x3D\xDE\x00"
          "\0\n",
          12);
  EXPECT_EQ(read(little, Encoding::utf16), "a\u00e9\U0001F600\n");
  EXPECT_EQ(read(big, Encoding::utf16), "a\u00e9\U0001F600\n");
  EXPECT_EQ(read(little.substr(2), Encoding::utf16), "a\u00e9\U0001F600\n");
  EXPECT_EQ(read(big.substr(2), Encoding::utf16), "a\u00e9\U0001F600\n");
  EXPECT_EQ(read("", Encoding::utf16), "");
  EXPECT_FALSE(isUtf8(read(std::string("a\0\x3D\xD8"
                                       "b\0",
                                       6),
                           Encoding::utf16)))
      << "half a character";
  EXPECT_FALSE(isUtf8(read(std::string("a\0b", 3), Encoding::utf16))) << "half a unit";
  Status end;
  all(*decoded(std::make_unique<Pieces>("\xEF\xBB\xBF"
                                        "abc",
                                        2),
               Encoding::latin1, "`a`"),
      &end);
  EXPECT_EQ(end.code(), ErrorCode::invalidInput) << "its mark says UTF-8";
}

TEST(Readable, ProposesAnEncoding) {
  EXPECT_EQ(likelyEncoding("caf\xE9 \x80"), Encoding::cp1252);
  EXPECT_EQ(likelyEncoding("caf\xE9 \x81"), Encoding::latin1);
}

TEST(Chained, ReadsFilesOneAfterTheOther) {
  const std::map<std::string, std::string> files = {{"a", "x,y\n1,2\n3\n"}, {"b", "y,x\n"}, {"c", "y,x\n5,6\n"}};
  const auto rows = makeChainedRows({"a", "b", "c"}, [&](const std::string &path) -> Result<std::unique_ptr<RowSource>> {
    return makeCsvRows(std::make_unique<Pieces>(files.at(path), 1), {});
  });
  ASSERT_TRUE(rows->begin().ok());
  EXPECT_EQ(rows->names(), (std::vector<std::string>{"x", "y"}));
  rows->select({"x", "y"});
  Row row;
  RowError error;
  ASSERT_EQ(rows->next(row, error).value(), RowStep::row);
  EXPECT_EQ(std::string(row.cells[0].text) + std::string(row.cells[1].text), "12");
  EXPECT_EQ(row.file, 0);
  ASSERT_EQ(rows->next(row, error).value(), RowStep::error);
  EXPECT_EQ(error.file, 0);
  EXPECT_EQ(error.line, 3);
  ASSERT_EQ(rows->next(row, error).value(), RowStep::row);
  EXPECT_EQ(std::string(row.cells[0].text) + std::string(row.cells[1].text), "65");
  EXPECT_EQ(row.file, 2);
  EXPECT_EQ(row.number, 1);
  EXPECT_EQ(row.line, 2);
  EXPECT_EQ(rows->next(row, error).value(), RowStep::end);
}

} // namespace
} // namespace penstock
