// How the records to predict are read: the one place that decides it (docs/guides/deploy.md has the table).
#pragma once

#include "runtime/data/fitted.h"
#include "runtime/data/record_program.h"

#include <string>
#include <string_view>
#include <vector>

namespace penstock {

/// What is known of an input before its records are read.
struct InputFacts {
  std::string path;          // its extension counts, without case, before that of gzip or zstd; "" is standard input
  std::string asked;         // `--format`: lines, csv, tsv, jsonl, conll, or the run's source; "" where the rest has to tell
  std::string head;          // its first bytes, unpacked and in UTF-8, see headIsEnough
  std::string standing = {}; // `deploy { input }`: asked for where nobody asks and the extension tells nothing; ""
  std::string encoding = {}; // `--encoding`; "" where nobody says one
};

/// Whether `head` is as much of an input as chooseFormat() needs: its first line, and where that could say nothing its first record.
bool headIsEnough(const InputFacts &input, const RecordProgram &program);

/// How the text of an input is written: as somebody says, else as the run's own data where the input is of their form, else UTF-8. A usage
/// error where there is no such encoding.
Result<Encoding> encodingOf(const InputFacts &input, const RecordProgram &program);

/// The rows of an input, for a run that reads `columns` (headers, or keys). What was asked for is taken; else the extension and the
/// way in which the run reads its own data decide, and the first line must not speak against it. A usage error names `--format` where
/// nothing can tell; an input that is no text is invalid.
Result<RowOptions> chooseFormat(const InputFacts &input, const RecordProgram &program, const Fitted &fitted,
                                const std::vector<std::string> &columns);

/// An input for people: "`a.csv`"; "" is standard input.
std::string shownInput(const std::string &path);
/// Whether a path stands for standard input.
bool isStandardInput(std::string_view path);

} // namespace penstock
