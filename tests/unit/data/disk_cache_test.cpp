#include "runtime/base/disk_cache.h"

#include "runtime/base/file.h"

#include "support.h"

#include <fcntl.h>
#include <optional>
#include <sys/stat.h>
#include <thread>

namespace penstock::test {
namespace {

TEST(Cache, StoresFindsAndRejectsDamage) {
  const Folder folder;
  const DiskCache cache(folder / "c");
  const Hash128 key = hash128("key");
  EXPECT_EQ(cache.find("facts", 1, key), nullptr);
  ASSERT_TRUE(cache.store("facts", 1, key, "payload").ok());
  const auto entry = cache.find("facts", 1, key);
  ASSERT_NE(entry, nullptr);
  EXPECT_EQ(DiskCache::payloadOf(*entry), "payload");
  EXPECT_EQ(cache.find("facts", 2, key), nullptr) << "another version";
  EXPECT_EQ(cache.find("ids", 1, key), nullptr) << "another kind";

  const std::string path = cache.pathOf("facts", key);
  const std::string good = slurp(path);
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    std::ofstream(path, std::ios::binary) << bad;
    const bool reserved = at >= 20 && at < 24;
    EXPECT_EQ(cache.find("facts", 1, key) == nullptr, !reserved) << at;
    std::ofstream(path, std::ios::binary) << good.substr(0, at);
    EXPECT_EQ(cache.find("facts", 1, key), nullptr) << at;
  }
  ASSERT_TRUE(cache.store("facts", 1, key, "").ok());
  EXPECT_EQ(DiskCache::payloadOf(*cache.find("facts", 1, key)), "");
  EXPECT_TRUE(std::filesystem::is_empty(folder / "c/tmp"));
}

TEST(Cache, RemovesWhatWasUsedLongestAgo) {
  const Folder folder;
  const DiskCache cache(folder / "c", 3000);
  const auto key = [](int i) { return hash128(std::to_string(i)); };
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(cache.store("ids", 1, key(i), std::string(900, 'x')).ok());
    const timespec times[2] = {{100 + i, 0}, {100 + i, 0}};
    ::utimensat(AT_FDCWD, cache.pathOf("ids", key(i)).c_str(), times, 0);
  }
  ASSERT_NE(cache.find("ids", 1, key(0)), nullptr); // used now
  ASSERT_TRUE(cache.store("ids", 1, key(3), std::string(900, 'x')).ok());
  EXPECT_NE(cache.find("ids", 1, key(0)), nullptr);
  EXPECT_EQ(cache.find("ids", 1, key(1)), nullptr);
  EXPECT_NE(cache.find("ids", 1, key(2)), nullptr);
  EXPECT_NE(cache.find("ids", 1, key(3)), nullptr);
  ASSERT_TRUE(cache.store("ids", 1, key(4), std::string(9000, 'x')).ok());
  EXPECT_NE(cache.find("ids", 1, key(4)), nullptr) << "the newest stays, however large";
}

TEST(Cache, ManyWritersAndReadersOfOneKey) {
  const Folder folder;
  const DiskCache cache(folder / "c");
  const Hash128 key = hash128("shared");
  const std::string payload(100003, 'p');
  std::vector<std::thread> threads;
  std::atomic<int> bad{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        bad += cache.store("ids", 1, key, payload).ok() ? 0 : 1;
        const auto entry = cache.find("ids", 1, key);
        bad += entry != nullptr && DiskCache::payloadOf(*entry) == payload ? 0 : 1;
      }
    });
  }
  for (std::thread &thread : threads) {
    thread.join();
  }
  EXPECT_EQ(bad, 0);
}

TEST(Cache, AFolderThatCannotBeWrittenIsAnErrorNotACrash) {
  const Folder folder;
  folder.write("file", "x");
  const DiskCache cache(folder / "file");
  EXPECT_FALSE(cache.store("ids", 1, hash128("k"), "p").ok());
  EXPECT_EQ(cache.find("ids", 1, hash128("k")), nullptr);
}

class Environment {
public:
  Environment(const char *name, const char *value) : name(name) {
    if (const char *now = std::getenv(name)) {
      before = now;
    }
    value != nullptr ? ::setenv(name, value, 1) : ::unsetenv(name);
  }
  ~Environment() { before ? ::setenv(name, before->c_str(), 1) : ::unsetenv(name); }

private:
  const char *name;
  std::optional<std::string> before;
};

TEST(CacheFolder, FollowsTheEnvironment) {
  const Folder folder;
  const Environment chosen("PENSTOCK_CACHE", nullptr);
  const Environment xdg("XDG_CACHE_HOME", (folder / "xdg").c_str());
  const Environment home("HOME", (folder / "home").c_str());
  EXPECT_EQ(cacheFolder().value(), folder / "xdg/penstock");
  struct stat info = {};
  ASSERT_EQ(::stat((folder / "xdg/penstock").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700U);
  {
    const Environment relative("XDG_CACHE_HOME", "not/absolute");
    EXPECT_EQ(cacheFolder().value(), folder / "home/.cache/penstock");
  }
  std::filesystem::create_directories(folder / "mine");
  ::chmod((folder / "mine").c_str(), 0755);
  const Environment override("PENSTOCK_CACHE", (folder / "mine").c_str());
  EXPECT_EQ(cacheFolder().value(), folder / "mine");
  ASSERT_EQ(::stat((folder / "mine").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700U);
  folder.write("file", "");
  const Environment file("PENSTOCK_CACHE", (folder / "file").c_str());
  EXPECT_FALSE(cacheFolder().ok());
}

} // namespace
} // namespace penstock::test
