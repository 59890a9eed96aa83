// Places in a run: no file of a run holds an absolute path (docs/design/run_facts.md). What is an absolute path in memory, alone or in a
// text, is written relative to the run's folder: `${RUN^2/}data/train.csv` is data/train.csv two folders above it. Whoever reads the run
// has the paths again that it was written with, or, where the run was moved, those that lie as they lay.
#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>

namespace penstock {

class RunPlaces {
public:
  /// `folder`: of the run, which need not be there.
  explicit RunPlaces(const std::string &folder);

  /// `text` as the run keeps it. A path begins the text or stands behind a character that ends words, and its first name is that of a
  /// folder of this machine or of the run's own path.
  std::string kept(std::string_view text) const;
  /// The text of which `kept` made it.
  std::string read(std::string_view kept) const;

  /// A text that `kept` made, with each place in the run's own folder, so that nothing tells where it was: what lies below `root`, an
  /// absolute folder, by its way from there, all else without its name: `elsewhere.csv`, `{split}.csv`.
  std::string gathered(std::string_view kept, const std::string &root) const;

  /// The same of all texts in a value.
  void keep(nlohmann::ordered_json &value) const;
  void restore(nlohmann::ordered_json &value) const;
  void gather(nlohmann::ordered_json &value, const std::string &root) const;

private:
  std::string folder; // absolute, without links, without a slash at its end
  int depth = 0;      // names in it
};

} // namespace penstock
