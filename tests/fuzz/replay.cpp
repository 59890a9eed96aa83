// Runs a fuzz target over files and folders without libFuzzer, then over seeded edits of them: `replay [--edits N] [--seed S]
// PATH...`. So every build replays the corpus, with any compiler.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size);

namespace {

void run(const std::string &text) { LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t *>(text.data()), text.size()); }

std::string edit(std::string text, std::mt19937_64 &random) {
  static const std::vector<std::string> pieces = {"{",
                                                  "}",
                                                  "|>",
                                                  "=",
                                                  ":",
                                                  "\"",
                                                  "..",
                                                  "search(",
                                                  "-1",
                                                  "99999999999999999999",
                                                  "1e400",
                                                  "\xff",
                                                  std::string(1, '\0'),
                                                  "param ",
                                                  "model {",
                                                  "repeat(1000000, ",
                                                  "\n",
                                                  "#",
                                                  "%",
                                                  "import \"a.pipe\"",
                                                  "(",
                                                  ")",
                                                  "[",
                                                  "]",
                                                  ",",
                                                  "layer x(y) {",
                                                  "l2(",
                                                  "answer",
                                                  "|> classify(label)",
                                                  " + ",
                                                  " / 0 "};
  static const int counts[] = {1, 1, 1, 2, 5, 20};
  for (int edits = counts[random() % 6]; edits > 0; --edits) {
    const std::size_t at = random() % (text.size() + 1);
    const auto choice = random() % 10;
    if (choice < 3) {
      text.erase(at, 1 + random() % 12);
    } else if (choice < 6) {
      text.insert(at, pieces[random() % pieces.size()]);
    } else if (choice < 8) {
      const std::size_t from = random() % (text.size() + 1);
      text.insert(at, text.substr(from, 1 + random() % 60));
    } else if (!text.empty()) {
      text[at % text.size()] = static_cast<char>(random() % 256);
    }
  }
  return text;
}

} // namespace

int main(int argc, char **argv) {
  long edits = 0;
  std::uint64_t seed = 11;
  std::vector<std::string> texts;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if ((argument == "--edits" || argument == "--seed") && i + 1 < argc) {
      const long value = std::atol(argv[++i]);
      if (argument == "--edits") {
        edits = value;
      } else {
        seed = static_cast<std::uint64_t>(value);
      }
      continue;
    }
    std::vector<std::filesystem::path> paths;
    if (std::filesystem::is_directory(argument)) {
      for (const auto &entry : std::filesystem::recursive_directory_iterator(argument)) {
        if (entry.is_regular_file()) {
          paths.push_back(entry.path());
        }
      }
    } else {
      paths.push_back(argument);
    }
    for (const auto &path : paths) {
      std::ifstream file(path, std::ios::binary);
      std::ostringstream text;
      text << file.rdbuf();
      texts.push_back(text.str());
    }
  }
  if (texts.empty()) {
    std::fprintf(stderr, "replay: no inputs\n");
    return 2;
  }
  for (const std::string &text : texts) {
    run(text);
  }
  std::mt19937_64 random(seed);
  for (long i = 0; i < edits; ++i) {
    const std::string text = edit(texts[random() % texts.size()], random);
    if (const char *keep = std::getenv("PENSTOCK_FUZZ_KEEP")) {
      std::ofstream(keep, std::ios::binary) << text;
    }
    run(text);
  }
  std::printf("%zu inputs, %ld edits\n", texts.size(), edits);
  return 0;
}
