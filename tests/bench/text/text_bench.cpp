// How many bytes of text a second a tokenizer takes on one thread: the best of many passes over all texts of a column, through the
// batch call that the data path uses. The last figure is everything that the first run of a task does with the file: reading,
// checking, cleaning, finding repeated records, tokenizing, on all threads, without a cache.
//
//   text_bench PLUGIN PARAMETERS FILE.csv COLUMN    e.g. text_bench wordpiece '{"vocab": "vocab.txt"}' train.csv text
#include "runtime/base/fields_json.h"
#include "runtime/data/dataset.h"
#include "runtime/data/rows.h"
#include "runtime/plugin/plugin_host.h"

#include <fmt/format.h>

#include <chrono>
#include <ctime>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace penstock;

double threadSeconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

Result<std::vector<std::string>> textsOf(const std::string &path, const std::string &column) {
  PENSTOCK_ASSIGN(std::unique_ptr<ByteSource> bytes, openFileSource(path));
  const std::unique_ptr<RowSource> rows = makeCsvRows(std::move(bytes), {});
  PENSTOCK_TRY(rows->begin());
  rows->select({column});
  std::vector<std::string> texts;
  Row row;
  RowError error;
  for (;;) {
    PENSTOCK_ASSIGN(const RowStep step, rows->next(row, error));
    if (step == RowStep::end) {
      return texts;
    }
    if (step == RowStep::error) {
      return invalidInput(fmt::format("{}:{}: {}", path, error.line, error.sentence()));
    }
    texts.emplace_back(row.cells[0].text);
  }
}

Status measure(const std::string &plugin, const std::string &parameters, const std::string &path, const std::string &column) {
  PENSTOCK_ASSIGN(const std::shared_ptr<PluginHost> host, PluginHost::create());
  PENSTOCK_ASSIGN(const std::vector<std::string> texts, textsOf(path, column));
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  PENSTOCK_ASSIGN(const PluginManifest *manifest, host->manifest(plugin, PluginKind::tokenizer));
  std::string state;
  if (manifest->fits) {
    PENSTOCK_ASSIGN(const std::unique_ptr<TokenizerFit> fit, fitTokenizer(*host, plugin, parameters));
    PENSTOCK_TRY(fit->add(views));
    PENSTOCK_ASSIGN(state, fit->end());
  }
  const double begin = threadSeconds();
  PENSTOCK_ASSIGN(const std::shared_ptr<const Tokenizer> tokenizer, makeTokenizer(*host, plugin, parameters, state));
  const double making = threadSeconds() - begin;
  double bytes = 0;
  for (const std::string_view text : views) {
    bytes += static_cast<double>(text.size());
  }
  Tokenizer::Tokens tokens;
  const auto best = [&](bool withPlaces) -> Result<double> {
    double fastest = 1e9, spent = 0;
    for (int round = 0; round < 3 || spent < 1; ++round) {
      const double start = threadSeconds();
      PENSTOCK_TRY(tokenizer->encode(views, -1, withPlaces, tokens));
      const double took = threadSeconds() - start;
      fastest = std::min(fastest, took);
      spent += took;
    }
    return fastest;
  };
  PENSTOCK_ASSIGN(const double idsOnly, best(false));
  PENSTOCK_ASSIGN(const double withPlaces, best(true));
  PENSTOCK_ASSIGN(
      const RecordsSpec records,
      readJson<RecordsSpec>({{"sources", {{{"path", std::filesystem::absolute(path).string()}}}},
                             {"split", {{"by", "hash"}, {"column", column}, {"shares", {{"train", 1.0}}}}},
                             {"columns", {{{"name", column}}}},
                             {"features",
                              {{{"name", "tokens"},
                                {"column", column},
                                {"steps", {{{"op", "tokenize"}, {"plugin", plugin}, {"parameters", FieldJson::parse(parameters)}}}}}}},
                             {"inputs", {{{"name", "tokens"}, {"feature", "tokens"}}}}},
                            "the bench"));
  const auto start = std::chrono::steady_clock::now();
  PENSTOCK_TRY(gatherFacts(records, *host, "").status());
  const double first = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  fmt::print("{} {}: {} texts, {:.2f} MB, {} tokens; made in {:.1f} ms; ids {:.1f} MB/s ({:.1f} ns a token), with offsets {:.1f} MB/s; "
             "first run {:.0f} ms\n",
             plugin, std::filesystem::path(path).parent_path().filename().string(), texts.size(), bytes * 1e-6, tokens.ids.size(),
             making * 1e3, bytes * 1e-6 / idsOnly, idsOnly * 1e9 / static_cast<double>(tokens.ids.size()), bytes * 1e-6 / withPlaces,
             first * 1e3);
  return Status::success();
}

} // namespace

int main(int count, char **arguments) {
  if (count != 5) {
    fmt::print(stderr, "usage: text_bench PLUGIN PARAMETERS FILE.csv COLUMN\n");
    return 2;
  }
  const Status done = measure(arguments[1], arguments[2], arguments[3], arguments[4]);
  if (!done.ok()) {
    fmt::print(stderr, "{}\n", done.message());
  }
  return exitCodeOf(done.code());
}
