// Compiled programs that are damaged, with a seal that vouches for the damage all the same.
#include "runtime/base/program_rows.h"
#include "runtime/base/program_seal.h"
#include "runtime/exec/model.h"
#include "runtime/exec/program_image.h"
#include "tests/unit/exec/scratch.h"

#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <random>

namespace penstock {
namespace {

class Image : public ::testing::Test {
protected:
  void SetUp() override {
    const char *build = std::getenv("PENSTOCK_BUILD");
    Result<ProgramFile> read = ProgramFile::read(std::string(build ? build : ".") + "/tests/exec_fixture.so");
    ASSERT_TRUE(read.ok()) << read.status().message();
    whole = std::move(*read);
    library = std::string(*sealedLibrary(whole.bytes));
    Result<std::unique_ptr<ThreadPool>> made = ThreadPool::create(1);
    ASSERT_TRUE(made.ok());
    pool = std::move(*made);
  }
  /// Opens the library with a fresh seal. The constants may be changed, so nothing of it runs but the function that gives the table.
  Status open(const std::string &changed) {
    ProgramFile file;
    file.path = "program.so";
    file.bytes = changed + std::string(bytesOf(sealOf(changed, 0)));
    return Model::open(file, hostDevice()).status();
  }
  ProgramFile whole;
  std::string library;
  std::unique_ptr<ThreadPool> pool;
};

TEST_F(Image, OpensTwiceAtOnce) {
  const auto first = Model::open(whole, hostDevice()), second = Model::open(whole, hostDevice());
  ASSERT_TRUE(first.ok() && second.ok()) << first.status().message() << second.status().message();
  EXPECT_NE(&(*first)->table(), &(*second)->table());
  EXPECT_STREQ(tensorsOf((*second)->table())[0].name, "answer.linear_0.weight");
}

TEST_F(Image, ForgetsTheKeyOfTheCache) {
  ProgramFile keyed = whole;
  keyed.bytes = library + std::string(bytesOf(sealOf(library, 77)));
  EXPECT_NE(keyed.hash(), whole.hash());
  EXPECT_TRUE(Model::open(keyed, hostDevice()).ok());
  ASSERT_TRUE(keyed.forgetKey().ok());
  EXPECT_EQ(keyed.hash(), whole.hash());
  keyed.bytes.pop_back();
  EXPECT_FALSE(keyed.forgetKey().ok());
}

TEST_F(Image, TheSealTellsEveryChange) {
  std::mt19937 random(5);
  for (int i = 0; i < 200; ++i) {
    ProgramFile changed = whole;
    const std::size_t at = random() % changed.bytes.size();
    switch (i % 5) {
    case 0:
      changed.bytes[at] = static_cast<char>(changed.bytes[at] ^ (1 << random() % 8));
      break;
    case 1:
      changed.bytes.resize(at);
      break;
    case 2:
      changed.bytes += changed.bytes;
      break;
    case 3:
      changed.bytes.append(1 + at, '\0');
      break;
    default:
      changed.bytes.replace(at, 64, 64, '\x5a');
    }
    EXPECT_EQ(Model::open(changed, hostDevice()).status().code(), ErrorCode::environment) << i;
  }
}

TEST_F(Image, CutDoubledAndLengthenedLibrariesAreJudged) {
  EXPECT_TRUE(open(library).ok());
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{63}, std::size_t{64}, std::size_t{500}, library.size() / 2}) {
    EXPECT_EQ(open(library.substr(0, size)).code(), ErrorCode::environment) << size;
  }
  EXPECT_TRUE(open(library + library).ok()) << "what follows is loaded by no segment";
  EXPECT_TRUE(open(library + std::string(5000, '\0')).ok());
  EXPECT_EQ(open(std::string(library.size(), '\0')).code(), ErrorCode::environment);
}

// Headers, hash table, symbols, relocations, constants and tables; not the code, of which nobody can tell. Each in a child, so that a
// signal is seen and named.
TEST_F(Image, DamagedTablesAreNoSignals) {
  const std::size_t code = 0xbe0, data = 0x1b00; // of the fixture, see readelf -l; a fixture of another shape only moves the damage
  std::mt19937 random(11);
  int refused = 0;
  const int rounds = std::getenv("PENSTOCK_DAMAGES") ? std::atoi(std::getenv("PENSTOCK_DAMAGES")) : 300;
  for (int i = 0; i < rounds; ++i) {
    std::string changed = library;
    std::size_t at = random() % (code + (library.size() - data));
    at = at < code ? at : at - code + data;
    const std::size_t bytes = std::min<std::size_t>(at < code ? code - at : changed.size() - at, 1 + random() % (i % 3 == 0 ? 400 : 8));
    for (std::size_t k = 0; k < bytes; ++k) {
      changed[at + k] = i % 2 == 0 ? '\0' : static_cast<char>(random());
    }
    const pid_t child = ::fork();
    if (child == 0) {
      ::_exit(open(changed).ok() ? 0 : 1);
    }
    int state = 0;
    ASSERT_EQ(::waitpid(child, &state, 0), child);
    EXPECT_TRUE(WIFEXITED(state)) << "signal " << WTERMSIG(state) << " after " << bytes << " bytes at " << at;
    refused += WIFEXITED(state) && WEXITSTATUS(state) == 1 ? 1 : 0;
  }
  EXPECT_GT(refused, rounds / 10); // much of the file is loaded by no segment
}

} // namespace
} // namespace penstock
