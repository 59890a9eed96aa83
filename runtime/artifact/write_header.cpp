#include "runtime/artifact/write_header.h"

#include "runtime/base/utf8.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace penstock {
namespace {

/// A comment may not end before its end, and nothing in it may turn the line around it.
std::string inComment(const std::string &text) {
  std::string safe;
  for (std::size_t at = 0; at < text.size();) {
    const char32_t scalar = nextScalar(text, at);
    const bool turns =
        (scalar >= 0x200E && scalar <= 0x200F) || (scalar >= 0x2028 && scalar <= 0x202E) || (scalar >= 0x2066 && scalar <= 0x2069);
    if (scalar < 0x20 || scalar == '*' || scalar == '\\' || scalar == 0x7F || scalar == 0x85 || turns) {
      safe += ' ';
    } else {
      appendUtf8(safe, scalar);
    }
  }
  return safe;
}

std::string declarationOf(const CStruct &type) {
  std::string text = fmt::format("/* {} */\ntypedef struct {} {{\n", inComment(type.comment), type.name);
  for (const CStruct::Member &member : type.members) {
    text += fmt::format("  {};{}\n", member.declaration, member.comment.empty() ? "" : " /* " + inComment(member.comment) + " */");
  }
  if (type.members.empty()) { // C has no empty struct
    text += "  char unused;\n";
  }
  return text + fmt::format("}} {};\n\n", type.name);
}

std::string enumerationOf(const CClasses &classes) {
  std::string text = fmt::format("typedef enum {} {{\n  {}_none = -1", classes.name, classes.name);
  for (std::size_t i = 0; i < classes.constants.size(); ++i) {
    text += fmt::format(",\n  {} = {} /* {} */", classes.constants[i], i, inComment((*classes.classes)[i]));
  }
  return text + fmt::format("\n}} {};\n\n", classes.name);
}

constexpr const char *beginning = R"(/* NAME: written by `penstock build`. Link with libNAME.so, whose data, weights.bin, lie beside it.
 *
 * A model is read by any number of threads, each with a session of its own. Functions give 0, or a code with a text in the error: 1 input that
 * cannot be answered, 2 a mistake of the caller, 4 the machine or the files, 70 a mistake of the library. What a call is given it only reads; what an answer points to
 * lies in the session until its next call, or in the model.
 */
#ifndef NAME_H
#define NAME_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct NAME_model NAME_model;
typedef struct NAME_session NAME_session;

typedef struct NAME_error {
  int32_t code;
  char text[1024]; /* UTF-8, terminated */
} NAME_error;

/* UTF-8 bytes, not terminated. */
typedef struct NAME_text {
  const char *data;
  size_t size;
} NAME_text;

)";

constexpr const char *functions = R"(/* Opens the data in `folder`, NULL for that of the library. Everything is judged before it is used. */
int NAME_open(const char *folder, NAME_model **model, NAME_error *error);
/* Call when its sessions are closed. */
void NAME_close(NAME_model *model);

/* `threads`: that a call may use, 0 for one a core. */
int NAME_session_open(NAME_model *model, int threads, NAME_session **session, NAME_error *error);
void NAME_session_close(NAME_session *session);

/* Answers `count` records into as many answers, in their order. A record that cannot be answered is no error of the call: its answer says why.
 * Of records of one row a call takes no memory, where an earlier one of the session had as many, as long, and none of them has an error. */
int NAME_predict(NAME_session *session, const NAME_record *records, size_t count, NAME_answer *answers, NAME_error *error);

/* The version of Penstock that built the library. */
const char *NAME_version(void);

#ifdef __cplusplus
}

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace NAME_api {

inline void check(int code, const NAME_error &error) {
  if (code != 0) {
    throw std::runtime_error(error.text);
  }
}

/* A model that closes itself. */
class Model {
public:
  explicit Model(const char *folder = nullptr) {
    NAME_error error;
    NAME_model *opened = nullptr;
    check(NAME_open(folder, &opened, &error), error);
    held.reset(opened);
  }
  NAME_model *get() const { return held.get(); }

private:
  struct Close {
    void operator()(NAME_model *model) const { NAME_close(model); }
  };
  std::unique_ptr<NAME_model, Close> held;
};

/* A session that closes itself; the model outlives it. */
class Session {
public:
  explicit Session(const Model &model, int threads = 0) {
    NAME_error error;
    NAME_session *opened = nullptr;
    check(NAME_session_open(model.get(), threads, &opened, &error), error);
    held.reset(opened);
  }
  /* `count` records; the answers are valid until the next call. */
  const std::vector<NAME_answer> &predict(const NAME_record *records, std::size_t count) {
    NAME_error error;
    answers.resize(count);
    check(NAME_predict(held.get(), records, count, answers.data(), &error), error);
    return answers;
  }
  /* Any range of records that lie side by side: std::vector, std::array, std::span. */
  template <typename Records> const std::vector<NAME_answer> &predict(const Records &records) {
    return predict(std::data(records), std::size(records));
  }

private:
  struct Close {
    void operator()(NAME_session *session) const { NAME_session_close(session); }
  };
  std::unique_ptr<NAME_session, Close> held;
  std::vector<NAME_answer> answers;
};

} // namespace NAME_api
#endif

#endif
)";

std::string named(std::string text, const std::string &name) {
  for (std::size_t at = text.find("NAME"); at != std::string::npos; at = text.find("NAME", at + name.size())) {
    text.replace(at, 4, name);
  }
  return text;
}

} // namespace

std::string artifactHeader(const std::string &name, const CLayout &layout) {
  std::string text = named(beginning, name);
  for (const CClasses &classes : layout.classes) {
    text += enumerationOf(classes);
  }
  if (!layout.row.name.empty()) {
    text += declarationOf(layout.row);
  }
  text += declarationOf(layout.record);
  for (const CStruct &type : layout.structs) {
    text += declarationOf(type);
  }
  text += declarationOf(layout.answer);
  return text + named(functions, name);
}

} // namespace penstock
