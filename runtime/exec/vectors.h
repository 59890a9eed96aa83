// Files of vectors by token, in the text form of word2vec and fastText (`.vec`): a line with the number of rows and of numbers, which may
// be absent, then a line a token: the token and its numbers, between spaces.
#pragma once

#include "runtime/data/dataset.h"
#include "runtime/exec/model.h"
#include "runtime/exec/run_config.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace penstock {

/// How many numbers a row has. `invalidInput`, in words that follow "the vectors in `file` cannot be used:", where it is no such file.
Result<std::int64_t> vectorWidth(const std::string &file);

/// Reads the rows of those tokens for which `place` gives a place to write `width` numbers to; NULL: none is wanted. Of two rows of a token
/// the first counts. An error names the line.
Status readVectors(const std::string &file, std::int64_t width, const std::function<float *(std::string_view token)> &place);

/// Gives the tables their first values, and adds a note of each: how many of the tokens have a row. What has none keeps its value.
Status loadVectors(Model &model, const std::vector<VectorsSpec> &tables, const std::shared_ptr<const Dataset> &train, PluginHost &host,
                   std::vector<std::string> &notes);
/// The notes for a check, which has no model: of the facts about the data (gatherFacts).
Result<std::vector<std::string>> vectorsOfFacts(const std::vector<VectorsSpec> &tables, const RecordsSpec &records,
                                                const std::string &facts, PluginHost &host);

} // namespace penstock
