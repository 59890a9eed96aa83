// Records and answers as structs of C (c_layout.h), answered by a predictor.
#pragma once

#include "runtime/artifact/c_layout.h"
#include "runtime/exec/predictor.h"

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

namespace penstock {

/// Memory for what answers point to: it is taken again by each call, and grows to what the largest needs.
class AnswerMemory {
public:
  void clear() { block = used = 0; }
  /// `bytes` at a multiple of 8.
  char *take(std::size_t bytes);
  /// The text with a NUL behind it.
  const char *keep(std::string_view text);

private:
  struct Block {
    std::unique_ptr<char[]> bytes;
    std::size_t size;
  };
  std::vector<Block> blocks;
  std::size_t block = 0, used = 0; // the block that is filled
};

/// Used by one thread.
class CSession {
public:
  /// All of these outlive it.
  CSession(const Predictor &predictor, const CLayout &layout, Session &session) : predictor(predictor), layout(layout), session(session) {}
  ~CSession();

  /// Answers `count` records, structs of the layout's `record`, into as many of its `answer`. A failure is one of the call as a whole.
  Status predict(const void *records, std::size_t count, void *answers);

private:
  class Rows;
  Status predictRows(const char *records, std::size_t count, char *answers);
  Status predictUnits(const char *records, std::size_t count, char *answers);
  void writeAnswer(const AnsweredRecords &from, std::int64_t row, char *answer);
  void writeFields(const std::vector<CField> &fields, const std::vector<Column> &columns, std::int64_t row, char *to);
  void writeElement(const Column &column, std::int64_t element, char *to);
  void writeFailure(char *answer, std::string_view text);
  void writeMissing(const CField &field, char *to);

  const Predictor &predictor;
  const CLayout &layout;
  Session &session;
  AnswerMemory memory;
  Rows *rows = nullptr;                      // owned by `answered`
  std::unique_ptr<AnsweredRecords> answered; // of records of one row: kept from call to call
  std::int64_t before = 0;                   // records of the calls before
};

} // namespace penstock
