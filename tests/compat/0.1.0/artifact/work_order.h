/* work_order: written by `penstock build`. Link with libwork_order.so, whose data, weights.bin, lie beside it.
 *
 * A model is read by any number of threads, each with a session of its own. Functions give 0, or a code with a text in the error: 1 input that
 * cannot be answered, 2 a mistake of the caller, 4 the machine or the files, 70 a mistake of the library. What a call is given it only reads; what an answer points to
 * lies in the session until its next call, or in the model.
 */
#ifndef work_order_H
#define work_order_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct work_order_model work_order_model;
typedef struct work_order_session work_order_session;

typedef struct work_order_error {
  int32_t code;
  char text[1024]; /* UTF-8, terminated */
} work_order_error;

/* UTF-8 bytes, not terminated. */
typedef struct work_order_text {
  const char *data;
  size_t size;
} work_order_text;

typedef enum work_order_label {
  work_order_label_none = -1,
  work_order_label_failure = 0 /* failure */,
  work_order_label_routine = 1 /* routine */
} work_order_label;

/* What is to be answered. */
typedef struct work_order_record {
  work_order_text text; /* column `text`; data is NULL where it is missing */
} work_order_record;

/* An answer. Its texts and lists lie in the session until its next call. */
typedef struct work_order_answer {
  const char *error; /* why there is no answer; NULL where there is one */
  int32_t label; /* work_order_label */
  const char *label_name; /* "" of none of the classes */
  float confidence;
  float probabilities[2]; /* a number each of work_order_label */
} work_order_answer;

/* Opens the data in `folder`, NULL for that of the library. Everything is judged before it is used. */
int work_order_open(const char *folder, work_order_model **model, work_order_error *error);
/* Call when its sessions are closed. */
void work_order_close(work_order_model *model);

/* `threads`: that a call may use, 0 for one a core. */
int work_order_session_open(work_order_model *model, int threads, work_order_session **session, work_order_error *error);
void work_order_session_close(work_order_session *session);

/* Answers `count` records into as many answers, in their order. A record that cannot be answered is no error of the call: its answer says why.
 * Of records of one row a call takes no memory, where an earlier one of the session had as many, as long, and none of them has an error. */
int work_order_predict(work_order_session *session, const work_order_record *records, size_t count, work_order_answer *answers, work_order_error *error);

/* The version of Penstock that built the library. */
const char *work_order_version(void);

#ifdef __cplusplus
}

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace work_order_api {

inline void check(int code, const work_order_error &error) {
  if (code != 0) {
    throw std::runtime_error(error.text);
  }
}

/* A model that closes itself. */
class Model {
public:
  explicit Model(const char *folder = nullptr) {
    work_order_error error;
    work_order_model *opened = nullptr;
    check(work_order_open(folder, &opened, &error), error);
    held.reset(opened);
  }
  work_order_model *get() const { return held.get(); }

private:
  struct Close {
    void operator()(work_order_model *model) const { work_order_close(model); }
  };
  std::unique_ptr<work_order_model, Close> held;
};

/* A session that closes itself; the model outlives it. */
class Session {
public:
  explicit Session(const Model &model, int threads = 0) {
    work_order_error error;
    work_order_session *opened = nullptr;
    check(work_order_session_open(model.get(), threads, &opened, &error), error);
    held.reset(opened);
  }
  /* `count` records; the answers are valid until the next call. */
  const std::vector<work_order_answer> &predict(const work_order_record *records, std::size_t count) {
    work_order_error error;
    answers.resize(count);
    check(work_order_predict(held.get(), records, count, answers.data(), &error), error);
    return answers;
  }
  /* Any range of records that lie side by side: std::vector, std::array, std::span. */
  template <typename Records> const std::vector<work_order_answer> &predict(const Records &records) {
    return predict(std::data(records), std::size(records));
  }

private:
  struct Close {
    void operator()(work_order_session *session) const { work_order_session_close(session); }
  };
  std::unique_ptr<work_order_session, Close> held;
  std::vector<work_order_answer> answers;
};

} // namespace work_order_api
#endif

#endif
