// One line on standard error that says what happens now: it changes on a terminal; elsewhere a line is written every few seconds; with
// --quiet there is none. NO_COLOR is honoured. Where nobody can read it any more it falls silent, and the work goes on.
//
// The line is shorter than the terminal. Where the terminal became narrower since it was written, most terminals have wrapped what stood
// there: the rows that it takes now are taken back, so that no piece of it stays.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace penstock {

/// How far work over records is: `done` of them.
using RecordsSeen = std::function<void(std::int64_t done)>;

class StatusLine {
public:
  enum class Mode { quiet, lines, terminal };
  /// The mode that fits standard error.
  static Mode detect(bool quiet);

  explicit StatusLine(Mode mode);
  ~StatusLine();
  StatusLine(const StatusLine &) = delete;
  StatusLine &operator=(const StatusLine &) = delete;

  /// A part of the line. Where the terminal is too narrow for all, those with the greatest `rank` are left out.
  struct Part {
    std::string text;
    int rank = 0;
    bool drawing = false; // for terminals alone, in colour
  };
  /// Whether there should be news. `now`: monotonic nanoseconds.
  bool due(std::int64_t now) const { return now >= next; }
  void show(const std::vector<Part> &parts, std::int64_t now);
  /// What takes its time and is no step: "measuring test  12800/100000 records  0:12 left", where news are due. `total` 0: not known;
  /// `done` 0 with it: nothing is counted.
  void showRecords(const std::string &what, std::int64_t done, std::int64_t total);

  /// A line that stays, above the changing one. Not with --quiet.
  void note(const std::string &text);
  /// "warning: TEXT": the same, with --quiet too.
  void warn(const std::string &text);
  /// Takes the changing line away.
  void clear();
  /// Ends the changing line, which stays.
  void finish();

private:
  void say(const std::string &text);
  /// What takes back the line that is shown.
  std::string takenBack() const;
  void stay(const std::string &text);

  Mode mode;
  bool color = false, silent = false;
  int shown = 0; // columns of the line that is there
  std::int64_t next;
  std::string activity; // of showRecords
  std::int64_t activitySince = 0;
};

/// "1:02", "1:01:02".
std::string durationText(double seconds);

} // namespace penstock
