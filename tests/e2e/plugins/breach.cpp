// A plugin that breaks its contract in one way, which the macro BREACH names: "encode.throws_int" throws an int from encode. KIND is
// the kind of the plugin (1 tokenizer, 2 head, 3 metric, 4 learner, 5 source), NAME its name. Without a breach, and where the variable
// PENSTOCK_HARMLESS is set, it keeps its contract. Plain C ABI and small headers: plugins_test.py compiles it a hundred times.
#include "runtime/abi/plugin_abi.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT(...) #__VA_ARGS__
#define QUOTED(...) TEXT(__VA_ARGS__)

namespace {

constexpr const char *breach = QUOTED(BREACH);

constexpr bool equal(const char *a, const char *b) {
  while (*a != '\0' && *a == *b) {
    ++a, ++b;
  }
  return *a == *b;
}

bool is(const char *name) { return equal(breach, name) && getenv("PENSTOCK_HARMLESS") == nullptr; }

/// Whether the breach is "entry.how".
bool at(const char *entry, const char *how) {
  const size_t size = strlen(entry);
  return strncmp(breach, entry, size) == 0 && breach[size] == '.' && is(breach) && equal(breach + size + 1, how);
}

struct Error {
  virtual const char *what() const noexcept { return "boom"; }
  virtual ~Error() = default;
};
/// As std::exception to its catchers: same name, same first functions.
struct Own {
  int number = 3;
};

int32_t say(PenstockError *error, const char *text) {
  strncpy(error->text, text, sizeof error->text - 1);
  return 1;
}

[[maybe_unused]] int deeper(volatile char *above) {
  volatile char here[4096];
  here[0] = static_cast<char>(above[0] + 1);
  return here[0] + deeper(here) + here[1];
}

void nothrow(int) noexcept(true) { throw 1; }

void inThread(void *(*work)(void *)) {
  pthread_t thread;
  pthread_create(&thread, nullptr, work, nullptr);
  pthread_join(thread, nullptr);
}

/// What can go wrong in any entry. 0: nothing did.
int32_t act(const char *entry, PenstockError *error) {
  char here = 0;
  if (at(entry, "throws_int")) {
    throw 7;
  } else if (at(entry, "throws_text")) {
    throw "boom";
  } else if (at(entry, "throws_class")) {
    throw Error();
  } else if (at(entry, "throws_own")) {
    throw Own();
  } else if (at(entry, "segv")) {
    *reinterpret_cast<volatile int *>(8) = 1;
  } else if (at(entry, "jump")) {
    reinterpret_cast<void (*)()>(16)();
  } else if (at(entry, "abort")) {
    abort();
  } else if (at(entry, "alarms")) {
    raise(SIGALRM);
  } else if (at(entry, "trap")) {
    __builtin_trap();
  } else if (at(entry, "divides")) {
    volatile int zero = 0;
    zero = 12345 / zero; // of 1 the compiler makes no division
  } else if (at(entry, "recurses")) {
    return deeper(&here);
  } else if (at(entry, "frees")) {
    free(&here);
  } else if (at(entry, "terminates")) {
    nothrow(0);
  } else if (at(entry, "thread_throws")) {
    inThread([](void *) -> void * { throw 1; });
  } else if (at(entry, "thread_segv")) {
    inThread([](void *) -> void * {
      *reinterpret_cast<volatile int *>(8) = 1;
      return nullptr;
    });
  } else if (at(entry, "forks")) {
    if (const pid_t child = fork(); child > 0) {
      int status = 0;
      waitpid(child, &status, 0);
      return !WIFEXITED(status) || WEXITSTATUS(status) != 4;
    }
  } else if (at(entry, "exits")) {
    exit(0);
  } else if (at(entry, "exits_at_once")) {
    _exit(0);
  } else if (at(entry, "exits_quickly")) {
    quick_exit(0);
  } else if (at(entry, "ends_thread")) {
    pthread_exit(nullptr);
  } else if (at(entry, "hangs")) {
    for (;;) {
      sleep(1000);
    }
  } else if (error != nullptr && at(entry, "fails_silently")) {
    return 1;
  } else if (error != nullptr && at(entry, "fails_unexpectedly")) {
    say(error, "boom");
    return PENSTOCK_UNEXPECTED;
  } else if (error != nullptr && at(entry, "error_without_end")) {
    memset(error->text, 'x', sizeof error->text);
    return 1;
  } else if (error != nullptr && at(entry, "error_overruns")) {
    memset(error->text, 'x', sizeof error->text + 3000);
    return 1;
  } else if (error != nullptr && at(entry, "error_is_binary")) {
    return say(error, "\x1b[2J\x1b]0;owned\a\xff\xfe\x9b!");
  }
  return 0;
}

[[maybe_unused]] PenstockString text(const char *given) { return {given, strlen(given)}; }

constexpr int64_t huge = INT64_C(0x7ffffffffffffff0);

// ---- tokenizer: one token a text

#if KIND == 1

const int32_t many_ids[1 << 21] = {};
const uint32_t many_places[1 << 21] = {};

int32_t fitBegin(const PenstockHost *, const PenstockParameters *, void **fit, PenstockError *error) {
  if (!is("fit_begin.gives_nothing")) {
    *fit = malloc(1);
  }
  return act("fit_begin", error);
}
int32_t fitAdd(void *, const PenstockString *, int64_t, PenstockError *error) { return act("fit_add", error); }
int32_t fitEnd(void *fit, const PenstockByteSink *state, PenstockError *error) {
  free(fit);
  if (is("fit_end.null_bytes")) {
    return state->write(state->context, nullptr, 12) != 0 ? say(error, "stopped") : 0;
  }
  if (is("fit_end.huge_size")) {
    return state->write(state->context, "state", static_cast<size_t>(huge)) != 0 ? say(error, "stopped") : 0;
  }
  if (is("fit_end.for_ever")) {
    static char block[1 << 20];
    while (state->write(state->context, block, sizeof block) == 0) {
    }
    return 0;
  }
  return state->write(state->context, "state", 5) != 0 ? say(error, "stopped") : act("fit_end", error);
}
void fitAbandon(void *fit) { free(fit); }
int32_t create(const PenstockHost *, const PenstockParameters *, PenstockString, void **self, PenstockError *error) {
  if (!is("create.gives_nothing")) {
    *self = malloc(1);
  }
  return act("create", error);
}
void destroy(void *self) {
  free(self);
  act("destroy", nullptr);
}
int64_t vocabularySize(const void *) {
  act("vocabulary_size", nullptr);
  return is("vocabulary_size.zero") ? 0 : is("vocabulary_size.huge") ? huge : 3;
}
int32_t unknownId(const void *) {
  act("unknown_id", nullptr);
  return is("unknown_id.outside") ? 3 : 0;
}
int32_t token(const void *, int32_t id, PenstockString *name, PenstockError *error) {
  if (id < 0 || id >= 3) {
    return say(error, "there is no such token");
  }
  *name = text("t");
  if (is("token.null_text")) {
    *name = {nullptr, 9};
  } else if (is("token.wild_text")) {
    *name = {reinterpret_cast<const char *>(16), 3};
  } else if (is("token.huge_text")) {
    name->size = static_cast<size_t>(huge);
  } else if (is("token.binary_text")) {
    *name = text("\xff\xfe");
  }
  return act("token", error);
}
int32_t encode(const void *, const PenstockString *texts, int64_t count, int64_t most, const PenstockTokenSink *sink,
               PenstockError *error) {
  if (const int32_t failed = act("encode", error)) {
    return failed;
  }
  int32_t stopped = 0;
  for (int64_t i = 0; i < count; ++i) {
    int64_t tokens = texts[i].size > 0 && most != 0 ? 1 : 0;
    int32_t id = 1;
    uint32_t start = 0, end = static_cast<uint32_t>(texts[i].size);
    const int32_t *ids = &id;
    const uint32_t *starts = &start, *ends = &end;
    int64_t index = i;
    if (is("encode.negative_count")) {
      tokens = -5;
    } else if (is("encode.huge_count")) {
      tokens = huge / 8;
    } else if (is("encode.more_than_asked")) {
      tokens = most < 0 ? 1 << 20 : most + 1;
      ids = many_ids, starts = ends = many_places;
    } else if (is("encode.millions")) {
      tokens = 1 << 21;
      ids = many_ids, starts = ends = many_places;
    } else if (is("encode.null_ids")) {
      ids = nullptr;
    } else if (is("encode.null_starts")) {
      starts = nullptr;
    } else if (is("encode.high_id")) {
      id = 3;
    } else if (is("encode.negative_id")) {
      id = -1;
    } else if (is("encode.outside_of_text")) {
      end += 1;
    } else if (is("encode.skips_text")) {
      continue;
    } else if (is("encode.other_index")) {
      index = huge;
    } else if (is("encode.text_twice")) {
      sink->text(sink->context, i, ids, starts, ends, tokens);
    } else if (is("encode.other_context")) {
      sink->text(&id, i, ids, starts, ends, tokens);
    } else if (is("encode.null_context")) {
      sink->text(nullptr, i, ids, starts, ends, tokens);
    }
    stopped = sink->text(sink->context, index, ids, starts, ends, tokens);
    if (is("encode.for_ever")) {
      while (sink->text(sink->context, index, ids, starts, ends, tokens) == 0) {
      }
    }
    if (stopped != 0) {
      return say(error, "stopped");
    }
  }
  return 0;
}
int32_t specialTokens(const void *, PenstockSpecialTokens *special, PenstockError *error) {
  static const int32_t ids[] = {2, 99};
  special->prefix = ids;
  special->prefix_count = 1;
  if (is("special_tokens.negative_count")) {
    special->prefix_count = -1;
  } else if (is("special_tokens.huge_count")) {
    special->suffix = ids;
    special->suffix_count = 0x7fffffff;
  } else if (is("special_tokens.null_ids")) {
    special->separator_count = 2;
  } else if (is("special_tokens.wild_ids")) {
    special->prefix = reinterpret_cast<const int32_t *>(16);
  } else if (is("special_tokens.high_id")) {
    special->prefix_count = 2;
  }
  return act("special_tokens", error);
}
struct AtUnload {
  ~AtUnload() {
    if (is("unloading.segv")) {
      *reinterpret_cast<volatile int *>(8) = 1;
    } else if (is("unloading.exits_at_once")) {
      _exit(0);
    }
  }
} atUnload;
const PenstockTokenizer functions = {sizeof functions,
                                     fitBegin,
                                     fitAdd,
                                     fitEnd,
                                     fitAbandon,
                                     create,
                                     destroy,
                                     vocabularySize,
                                     unknownId,
                                     token,
                                     is("encode.bad_function") ? reinterpret_cast<decltype(&encode)>(16) : encode,
                                     specialTokens};

// ---- head: softmax of a linear layer

#elif KIND == 2 || KIND == 4

/// What heads and learners describe and give: `n`, a class or a number, `note`, a text, and `parts`, a list of numbers.
const PenstockString two[] = {{"failure", 7}, {"routine", 7}};
constexpr int32_t firstElement = KIND == 2 ? PENSTOCK_CLASS : PENSTOCK_I64;

int32_t describe(const void *, const PenstockFieldSink *sink, PenstockError *error) {
  if (const int32_t failed = act("describe", error)) {
    return failed;
  }
  if (is("describe.nothing")) {
    return 0;
  }
  PenstockField fields[3] = {};
  const char *names[] = {"n", "note", "parts"};
  const int32_t elements[] = {firstElement, PENSTOCK_TEXT, PENSTOCK_F32};
  for (int i = 0; i < 3; ++i) {
    fields[i].struct_size = sizeof fields[i];
    fields[i].name = text(names[i]);
    fields[i].element = elements[i];
    fields[i].shape = i == 2 ? PENSTOCK_LIST : PENSTOCK_EACH;
    fields[i].width = 1;
  }
  if (KIND == 2) {
    fields[0].meaning = text("class");
    fields[0].class_count = fields[0].trained = 2;
    fields[0].classes = two;
  }
  if (is("describe.row")) {
    fields[0].name = text("row");
  } else if (is("describe.an_error")) {
    fields[0].name = text("error");
  } else if (is("describe.binary_name")) {
    fields[0].name = text("\x1b[2J\xff");
  } else if (is("describe.null_name")) {
    fields[0].name = {nullptr, 7};
  } else if (is("describe.huge_name")) {
    fields[0].name.size = static_cast<size_t>(huge);
  } else if (is("describe.twice")) {
    fields[0].name = text("note");
  } else if (is("describe.no_element")) {
    fields[0].element = 99;
  } else if (is("describe.no_shape")) {
    fields[0].shape = 3;
  } else if (is("describe.huge_width")) {
    fields[0].width = huge;
  } else if (is("describe.null_classes")) {
    fields[0].element = PENSTOCK_CLASS;
    fields[0].class_count = 1000;
    fields[0].classes = nullptr;
  } else if (is("describe.short_field")) {
    fields[0].struct_size = 4;
  } else if (is("describe.empty_struct")) {
    fields[0].element = PENSTOCK_STRUCT;
  } else if (is("describe.null_field")) {
    return sink->field(sink->context, nullptr) != 0 ? say(error, "stopped") : 0;
  }
  for (const PenstockField &field : fields) {
    if (sink->field(sink->context, &field) != 0) {
      return say(error, "stopped");
    }
    while (is("describe.for_ever") && sink->field(sink->context, &field) == 0) {
    }
  }
  return 0;
}

/// The answers of as many records; `entry` is what it is called in.
int32_t give(const char *entry, int64_t records, const PenstockColumnSink *sink, PenstockError *error) {
  const auto how = [&](const char *breach) { return at(entry, breach); };
  constexpr int64_t most = 1024;
  static int64_t numbers[most + 1], offsets[most + 2]; // numbers: zeros of any kind
  static float parts[most + 1];
  static PenstockString notes[most + 1];
  records = records < most ? records : most;
  PenstockField fields[3] = {};
  PenstockColumn columns[4] = {};
  const char *names[] = {"n", "note", "parts"};
  const int32_t elements[] = {firstElement, PENSTOCK_TEXT, PENSTOCK_F32};
  const void *values[] = {numbers, notes, parts};
  int64_t given = records;
  if (how("misses_one")) {
    given = records > 0 ? records - 1 : 0;
  } else if (how("one_more")) {
    given = records + 1;
  }
  for (int64_t i = 0; i <= given; ++i) {
    offsets[i] = i;
    notes[i] = text("note");
  }
  for (int i = 0; i < 3; ++i) {
    fields[i].struct_size = sizeof fields[i];
    fields[i].name = text(names[i]);
    fields[i].element = elements[i];
    fields[i].shape = i == 2 ? PENSTOCK_LIST : PENSTOCK_EACH;
    fields[i].width = 1;
    columns[i].struct_size = sizeof columns[i];
    columns[i].field = &fields[i];
    columns[i].rows = given;
    columns[i].values = values[i];
    columns[i].offsets = i == 2 ? offsets : nullptr;
  }
  columns[3] = columns[0];
  PenstockColumns all = {sizeof all, given, {3, sizeof columns[0], columns}, nullptr, nullptr};
  if (how("null_columns")) {
    all.columns.first = nullptr;
  } else if (how("negative_columns")) {
    all.columns.count = -3;
  } else if (how("huge_columns")) {
    all.columns.count = 0x7fffffff;
  } else if (how("short_rows")) {
    all.columns.stride = 4;
  } else if (how("negative_records")) {
    all.records = -1;
  } else if (how("other_record_count")) {
    columns[0].rows = given + 7;
  } else if (how("lacks_one")) {
    all.columns.count = 2;
  } else if (how("one_twice")) {
    all.columns.count = 4;
  } else if (how("unknown_name")) {
    fields[0].name = text("\x1b[2Jother");
  } else if (how("no_field")) {
    columns[0].field = nullptr;
  } else if (how("other_element")) {
    fields[0].element = PENSTOCK_F64;
  } else if (how("null_values")) {
    columns[0].values = nullptr;
  } else if (how("wild_values")) {
    columns[0].values = reinterpret_cast<const void *>(16);
  } else if (how("null_text")) {
    notes[0] = {nullptr, 9};
  } else if (how("huge_text")) {
    notes[0].size = static_cast<size_t>(huge);
  } else if (how("binary_text")) {
    notes[0] = text("\xff\xfe");
  } else if (how("class_outside")) {
    static const int32_t classes[most + 1] = {7};
    columns[0].values = classes;
  } else if (how("no_offsets")) {
    columns[2].offsets = nullptr;
  } else if (how("offsets_go_down")) {
    offsets[0] = 5;
  } else if (how("huge_offsets")) {
    offsets[given] = huge;
  } else if (how("missing_list")) {
    static const uint8_t present[most + 1] = {};
    columns[2].present = present;
  }
  if (how("null_all")) {
    return sink->columns(sink->context, nullptr) != 0 ? say(error, "stopped") : 0;
  }
  if (how("null_context")) {
    sink->columns(nullptr, &all);
  }
  int32_t stopped = sink->columns(sink->context, &all);
  if (how("twice")) {
    stopped = sink->columns(sink->context, &all);
  }
  while (how("for_ever") && sink->columns(sink->context, &all) == 0) {
  }
  return stopped != 0 ? say(error, "stopped") : 0;
}

#endif

#if KIND == 2

int32_t create(const PenstockHost *, const PenstockParameters *, const PenstockField *target, void **self, PenstockError *error) {
  if (!is("create.gives_nothing")) {
    *self = malloc(sizeof(int64_t));
    *static_cast<int64_t *>(*self) = target == nullptr ? 0 : target->class_count;
  }
  return act("create", error);
}
void destroy(void *self) {
  free(self);
  act("destroy", nullptr);
}

int32_t build(const void *self, const PenstockGraphBuilder *b, const PenstockHeadInputs *inputs, PenstockError *error) {
  const PenstockNode input = inputs->input, target = inputs->target;
  const int64_t classes = *static_cast<const int64_t *>(self);
  if (const int32_t failed = act("build", error)) {
    return failed;
  }
  PenstockValueType type = {};
  type.struct_size = sizeof type;
  PenstockTable axes = {};
  if (b->describe(b->context, input, &type, &axes) != 0) {
    return say(error, "a description was refused");
  }
  if (type.rows == PENSTOCK_ROWS_AXIS) {
    return say(error, "it takes one vector a record");
  }
  const double nan = __builtin_nan("");
  int64_t shape[] = {type.width, classes};
  if (is("build.zero_size")) {
    shape[0] = 0;
  } else if (is("build.huge_size")) {
    shape[0] = huge;
  } else if (is("build.asks_for_no_node")) {
    b->describe(b->context, 12345, &type, &axes);
  } else if (is("build.fails_in_binary")) {
    b->fail(b->context, {"\x1b[2J\xff", 5});
  } else if (is("build.fails_at_null")) {
    b->fail(b->context, {nullptr, 5});
  }
  PenstockString weightName = text("weight");
  if (is("build.null_name")) {
    weightName.data = nullptr;
  } else if (is("build.huge_name")) {
    weightName.size = static_cast<size_t>(huge);
  } else if (is("build.control_name")) {
    weightName = text("we\x1b[2Jight");
  } else if (is("build.empty_name")) {
    weightName = text("");
  }
  const int32_t rank = is("build.rank_0") ? 0 : is("build.rank_huge") ? 0x7fffffff : 2;
  PenstockTensorSpec spec = {};
  spec.struct_size = sizeof spec;
  spec.name = weightName;
  spec.shape = is("build.null_shape") ? nullptr : shape;
  spec.rank = rank;
  spec.initializer = is("build.no_initializer") ? 77 : 2;
  spec.scale = is("build.scale_is_nan") ? nan : is("build.scale_is_great") ? 1e300 : 0.1;
  spec.decays = 1;
  if (is("build.short_tensor")) {
    spec.struct_size = 8;
  }
  const PenstockNode weight = is("build.null_tensor") ? b->parameter(b->context, nullptr) : b->parameter(b->context, &spec);
  if (weight == 0) {
    return say(error, "a parameter was refused");
  }
  PenstockNode operands[] = {input, weight};
  if (is("build.null_context")) {
    b->describe(nullptr, input, &type, &axes);
  }
  if (is("build.no_node")) {
    operands[1] = 999;
  }
  PenstockValue attribute = {};
  attribute.name = text("label_smoothing");
  attribute.kind = PENSTOCK_VALUE_FLOAT;
  if (is("build.attribute_of_no_kind")) {
    attribute.kind = 55;
  } else if (is("build.attribute_is_nan")) {
    attribute.number = nan;
  } else if (is("build.attribute_at_null")) {
    attribute.kind = PENSTOCK_VALUE_NUMBERS;
    attribute.count = 1000;
  } else if (is("build.attribute_of_huge_count")) {
    static const double one = 1;
    attribute.kind = PENSTOCK_VALUE_NUMBERS;
    attribute.numbers = &one;
    attribute.count = huge;
  } else if (is("build.attribute_text_at_null")) {
    attribute.kind = PENSTOCK_VALUE_STRING;
    attribute.string = {nullptr, 8};
  }
  const PenstockString linear = text(is("build.no_operation") ? "no_such_thing" : "linear");
  const PenstockTable none = {is("build.null_attributes") ? 3 : is("build.negative_attributes") ? -1 : 0, sizeof attribute, nullptr};
  const PenstockNode logits = b->op(b->context, linear, is("build.null_operands") ? nullptr : operands,
                                    is("build.negative_operands")      ? -3
                                    : is("build.millions_of_operands") ? 4000000
                                                                       : 2,
                                    &none);
  if (is("build.for_ever")) {
    while (b->op(b->context, text("relu"), &input, 1, nullptr) != 0) {
    }
  }
  if (is("build.updates_no_state")) {
    b->update(b->context, weight, weight);
  }
  if (logits == 0) {
    return say(error, "an operation was refused");
  }
  const PenstockNode answer = b->op(b->context, text("softmax"), &logits, 1, nullptr);
  PenstockNode loss = 0;
  if (target != 0) {
    const PenstockNode judged[] = {logits, target};
    const PenstockTable attributes = {1, is("build.short_attributes") ? 8U : static_cast<uint32_t>(sizeof attribute), &attribute};
    loss = b->op(b->context, text("cross_entropy"), judged, 2, &attributes);
  }
  if (answer == 0 || (target != 0 && loss == 0)) {
    return say(error, "an operation was refused");
  }
  int32_t refused = 0;
  if (!is("build.no_answer")) {
    refused = b->answer(b->context, is("build.answer_of_no_node") ? 4000 : answer);
  }
  if (is("build.two_answers")) {
    b->answer(b->context, answer);
  }
  if (refused == 0 && target != 0 && !is("build.no_loss")) {
    refused = b->loss(b->context, is("build.loss_of_many_rows") ? answer : loss, 0);
  }
  return refused != 0 ? say(error, "what was built was refused") : 0;
}
int32_t decode(const void *, const PenstockDecodeBatch *batch, const PenstockColumnSink *sink, PenstockError *error) {
  if (const int32_t failed = act("decode", error)) {
    return failed;
  }
  return give("decode", batch->records, sink, error);
}
const PenstockHead functions = {sizeof functions, create, destroy, describe, build, decode};

// ---- metric: the share of right predictions

#elif KIND == 3

struct Counts {
  double right, all;
};
int32_t create(const PenstockHost *, const PenstockParameters *, const PenstockJudging *, void **self, PenstockError *error) {
  if (!is("create.gives_nothing")) {
    *self = calloc(1, sizeof(Counts));
  }
  return act("create", error);
}
void destroy(void *self) {
  free(self);
  act("destroy", nullptr);
}
int32_t add(void *self, const PenstockJudged *batch, PenstockError *error) {
  if (const int32_t failed = act("add", error)) {
    return failed;
  }
  auto &counts = *static_cast<Counts *>(self);
  const auto *const gold = static_cast<const int32_t *>(batch->gold->values);
  const auto *const predicted =
      static_cast<const int32_t *>(static_cast<const PenstockColumn *>(penstock_table_row(&batch->answers->columns, 0))->values);
  for (int64_t i = 0; i < batch->gold->rows; ++i) {
    const double weight = batch->weights == nullptr ? 1 : batch->weights[i];
    counts.right += gold[i] == predicted[i] ? weight : 0;
    counts.all += weight;
    if (is("add.writes_predictions")) {
      const_cast<int32_t *>(predicted)[i] = gold[i];
    } else if (is("add.writes_gold")) {
      const_cast<int32_t *>(gold)[i] = predicted[i];
    }
  }
  return 0;
}
int32_t merge(void *self, const void *other, PenstockError *error) {
  static_cast<Counts *>(self)->right += static_cast<const Counts *>(other)->right;
  static_cast<Counts *>(self)->all += static_cast<const Counts *>(other)->all;
  return act("merge", error);
}
int32_t result(const void *self, const PenstockMetricSink *sink, PenstockError *error) {
  const auto &counts = *static_cast<const Counts *>(self);
  const double value = counts.all > 0 ? counts.right / counts.all : 0;
  PenstockString name = text("breach_value");
  if (is("result.undeclared")) {
    sink->value(sink->context, text("accuracy"), 1);
  } else if (is("result.undeclared_binary")) {
    sink->value(sink->context, text("\x1b[2Jacc"), 1);
  } else if (is("result.twice")) {
    sink->value(sink->context, name, 1);
  } else if (is("result.null_name")) {
    name.data = nullptr;
  } else if (is("result.huge_name")) {
    name.size = static_cast<size_t>(huge);
  } else if (is("result.missing")) {
    return 0;
  } else if (is("result.huge_report")) {
    sink->text(sink->context, {"report", static_cast<size_t>(huge)});
  } else if (is("result.null_report")) {
    sink->text(sink->context, {nullptr, 4});
  } else if (is("result.binary_report")) {
    sink->text(sink->context, text("\xff\xfe"));
  } else if (is("result.report_for_ever")) {
    static char block[1 << 16];
    memset(block, 'x', sizeof block);
    while (sink->text(sink->context, {block, sizeof block}) == 0) {
    }
  } else if (is("result.numbers_for_ever")) {
    while (sink->value(sink->context, text("breach[x]"), 1) == 0) {
    }
  }
  return sink->value(sink->context, name, value) != 0 ? say(error, "stopped") : act("result", error);
}
int32_t save(const void *self, const PenstockByteSink *state, PenstockError *error) {
  const int32_t stopped = is("save.null_bytes")  ? state->write(state->context, nullptr, 12)
                          : is("save.huge_size") ? state->write(state->context, self, static_cast<size_t>(huge))
                                                 : state->write(state->context, self, sizeof(Counts));
  return stopped != 0 ? say(error, "stopped") : act("save", error);
}
int32_t load(void *self, PenstockString state, PenstockError *error) {
  if (state.size != sizeof(Counts)) {
    return say(error, "the state is damaged");
  }
  memcpy(self, state.data, state.size);
  return act("load", error);
}
const PenstockMetric functions = {sizeof functions, create, destroy, add, merge, result, save, load};

// ---- learner: counts records

#elif KIND == 4

int32_t fitBegin(const PenstockHost *, const PenstockParameters *, const PenstockLearning *, void **fit, PenstockError *error) {
  *fit = calloc(1, sizeof(int64_t));
  return act("fit_begin", error);
}
int32_t fitAdd(void *fit, const PenstockExamples *examples, PenstockError *error) {
  *static_cast<int64_t *>(fit) += examples->features->records;
  const auto *const vector = static_cast<const PenstockColumn *>(penstock_table_row(&examples->features->columns, 0));
  if (is("fit_add.writes_values") && vector->rows > 0) {
    const_cast<float *>(static_cast<const float *>(vector->values))[0] += 1;
  }
  return act("fit_add", error);
}
int32_t fitEnd(void *fit, const PenstockByteSink *state, PenstockError *error) {
  const int32_t stopped = state->write(state->context, fit, is("fit_end.huge_size") ? static_cast<size_t>(huge) : sizeof(int64_t));
  free(fit);
  return stopped != 0 ? say(error, "stopped") : act("fit_end", error);
}
void fitAbandon(void *fit) {
  free(fit);
  act("fit_abandon", nullptr);
}
int32_t create(const PenstockHost *, const PenstockParameters *, const PenstockLearning *, PenstockString, void **self,
               PenstockError *error) {
  *self = malloc(1);
  return act("create", error);
}
void destroy(void *self) {
  free(self);
  act("destroy", nullptr);
}
int32_t answer(const void *, const PenstockColumns *features, const PenstockColumnSink *sink, PenstockError *error) {
  if (const int32_t failed = act("answer", error)) {
    return failed;
  }
  return give("answer", features->records, sink, error);
}
const PenstockLearner functions = {sizeof functions, fitBegin, fitAdd, fitEnd, fitAbandon, create, destroy, describe, answer};

// ---- source: the columns `text` and `label` of lines, with a comma between

#elif KIND == 5

struct Lines {
  const PenstockSourceFile *file;
  char *bytes;
  size_t size, at;
  int64_t line;
};
int32_t create(const PenstockHost *, const PenstockParameters *, void **self, PenstockError *error) {
  if (!is("create.gives_nothing")) {
    *self = malloc(1);
  }
  return act("create", error);
}
void destroy(void *self) {
  free(self);
  act("destroy", nullptr);
}
int32_t open(const void *, const PenstockSourceFile *file, void **reader, PenstockError *error) {
  if (!is("open.gives_nothing")) {
    auto *const lines = static_cast<Lines *>(calloc(1, sizeof(Lines)));
    lines->file = file;
    *reader = lines;
  }
  return act("open", error);
}
void close(void *reader) {
  free(static_cast<Lines *>(reader)->bytes);
  free(reader);
  act("close", nullptr);
}
/// Everything; a file is small.
int32_t readAll(Lines &lines, PenstockError *error) {
  const size_t room = 1 << 22;
  lines.bytes = static_cast<char *>(malloc(room));
  for (size_t got = 1; got > 0 && lines.size < room; lines.size += got) {
    if (lines.file->read(lines.file->context, lines.bytes + lines.size, room - lines.size, &got) != 0) {
      return say(error, "the file cannot be read");
    }
  }
  return 0;
}
PenstockField fieldOf(const char *name) {
  PenstockField field{};
  field.struct_size = sizeof field;
  field.name = text(name);
  field.element = PENSTOCK_TEXT;
  field.width = 1;
  return field;
}
int32_t describe(void *reader, const PenstockFieldSink *sink, PenstockError *error) {
  auto &lines = *static_cast<Lines *>(reader);
  if (is("describe.reads_to_null")) {
    lines.file->read(lines.file->context, nullptr, 10, &lines.size);
  } else if (is("describe.reads_with_null_context")) {
    lines.file->read(nullptr, &lines, 1, &lines.size);
  } else if (is("describe.gets_nothing")) {
    lines.file->read(lines.file->context, &lines, 0, nullptr);
  }
  if (const int32_t failed = readAll(lines, error)) {
    return failed;
  }
  PenstockField fields[2] = {fieldOf("text"), fieldOf("label")};
  PenstockField &first = fields[0];
  if (is("describe.null_field")) {
    sink->field(sink->context, nullptr);
  } else if (is("describe.short_field")) {
    first.struct_size = 8;
  } else if (is("describe.null_name")) {
    first.name = {nullptr, 4};
  } else if (is("describe.no_name")) {
    first.name.size = 0;
  } else if (is("describe.huge_name")) {
    first.name.size = static_cast<size_t>(huge);
  } else if (is("describe.binary_name")) {
    first.name = text("\xff\xfe");
  } else if (is("describe.twice")) {
    first = fields[1];
  } else if (is("describe.no_element")) {
    first.element = 77;
  } else if (is("describe.a_class")) {
    first.element = PENSTOCK_CLASS;
  } else if (is("describe.no_shape")) {
    first.shape = -1;
  } else if (is("describe.huge_width")) {
    first.width = huge;
  } else if (is("describe.for_ever")) {
    for (char name[16] = "a"; sink->field(sink->context, &first) == 0; first.name = text(name)) {
      for (char *digit = name; ++*digit > 'z'; ++digit) {
        *digit = 'a';
        digit[1] = digit[1] == 0 ? 'a' - 1 : digit[1];
      }
    }
  }
  for (const PenstockField &field : fields) {
    if (sink->field(sink->context, &field) != 0) {
      return say(error, "stopped");
    }
  }
  return act("describe", error);
}
bool wantsOf[2];
int32_t select(void *, const int32_t *fields, int64_t count, PenstockError *error) {
  wantsOf[0] = wantsOf[1] = false;
  for (int64_t i = 0; i < count; ++i) {
    wantsOf[fields[i]] = true;
  }
  return act("select", error);
}
int32_t next(void *reader, const PenstockRowSink *sink, PenstockError *error) {
  if (const int32_t failed = act("next", error)) {
    return failed;
  }
  auto &lines = *static_cast<Lines *>(reader);
  while (lines.at < lines.size) {
    const char *const begin = lines.bytes + lines.at;
    const auto *const end = static_cast<const char *>(memchr(begin, '\n', lines.size - lines.at));
    const size_t size = end == nullptr ? lines.size - lines.at : static_cast<size_t>(end - begin);
    lines.at += size + 1;
    if (++lines.line == 1) {
      continue; // the names
    }
    PenstockRowProblem problem = {sizeof problem, 0, lines.line, 0, text("it is not text")};
    if (is("next.binary_text") ? false : memchr(begin, '\xff', size) != nullptr || (size > 0 && (*begin & 0x80) != 0)) {
      return sink->problem(sink->context, &problem) != 0 ? say(error, "stopped") : 0;
    }
    const auto *const comma = static_cast<const char *>(memchr(begin, ',', size));
    const size_t head = comma == nullptr ? size : static_cast<size_t>(comma - begin);
    PenstockString cells[2] = {{begin, head}, {begin + head, size - head}};
    if (comma != nullptr) {
      cells[1] = {comma + 1, size - head - 1};
    }
    PenstockField fields[2] = {fieldOf("text"), fieldOf("label")};
    PenstockColumn columns[3] = {};
    int32_t count = 0;
    for (int i = 0; i < 2; ++i) {
      if (wantsOf[i]) {
        columns[count].struct_size = sizeof columns[0];
        columns[count].field = &fields[i];
        columns[count].rows = 1;
        columns[count++].values = &cells[i];
      }
    }
    const uint8_t there = 1;
    PenstockColumns all = {sizeof all, 1, {count, sizeof columns[0], columns}, &lines.line, nullptr};
    const int64_t below = -4;
    if (is("next.null_rows")) {
      sink->rows(sink->context, nullptr);
    } else if (is("next.short_rows")) {
      all.struct_size = 8;
    } else if (is("next.null_context")) {
      sink->rows(nullptr, &all);
    } else if (is("next.negative_records")) {
      all.records = -1;
    } else if (is("next.huge_records")) {
      all.records = huge;
    } else if (is("next.other_record_count")) {
      all.records = 2;
    } else if (is("next.lacks_one")) {
      all.columns.count = 0;
    } else if (is("next.one_twice")) {
      columns[count] = columns[0];
      ++all.columns.count;
    } else if (is("next.unknown_name")) {
      fields[0].name = fields[1].name = text("other");
    } else if (is("next.other_element")) {
      fields[0].element = fields[1].element = PENSTOCK_I64;
    } else if (is("next.null_columns")) {
      all.columns.first = nullptr;
    } else if (is("next.null_values")) {
      columns[0].values = columns[1].values = nullptr;
    } else if (is("next.wild_values")) {
      columns[0].values = columns[1].values = reinterpret_cast<const void *>(16);
    } else if (is("next.wild_present")) {
      columns[0].present = columns[1].present = reinterpret_cast<const uint8_t *>(16);
    } else if (is("next.null_text")) {
      cells[0] = cells[1] = {nullptr, 4};
    } else if (is("next.huge_text")) {
      cells[0].size = cells[1].size = static_cast<size_t>(huge);
    } else if (is("next.binary_text")) {
      cells[0] = cells[1] = text("\xff\xfe");
    } else if (is("next.line_below")) {
      all.first_rows = &below;
    } else if (is("next.some_lines")) {
      columns[0].present = columns[1].present = &there;
      sink->rows(sink->context, &all);
      all.first_rows = nullptr;
    } else if (is("next.null_problem")) {
      sink->problem(sink->context, nullptr);
    } else if (is("next.short_problem")) {
      problem.struct_size = 8;
      sink->problem(sink->context, &problem);
    } else if (is("next.no_sentence")) {
      problem.sentence.size = 0;
      sink->problem(sink->context, &problem);
    } else if (is("next.null_sentence")) {
      problem.sentence = {nullptr, 4};
      sink->problem(sink->context, &problem);
    } else if (is("next.huge_sentence")) {
      problem.sentence.size = static_cast<size_t>(huge);
      sink->problem(sink->context, &problem);
    } else if (is("next.binary_sentence")) {
      problem.sentence = text("\x1b[2J\xff");
      sink->problem(sink->context, &problem);
    } else if (is("next.problem_below")) {
      problem.line = -1;
      sink->problem(sink->context, &problem);
    } else if (is("next.problem_behind_last")) {
      problem.last = 1;
      sink->problem(sink->context, &problem);
      sink->problem(sink->context, &problem);
    } else if (is("next.problems_for_ever")) {
      while (sink->problem(sink->context, &problem) == 0) {
      }
    } else if (is("next.for_ever")) {
      while (sink->rows(sink->context, &all) == 0) {
      }
    }
    return sink->rows(sink->context, &all) != 0 ? say(error, "stopped") : 0;
  }
  return 0;
}
const PenstockSource functions = {sizeof functions, create, destroy, open, close, describe, select, next};

#endif

} // namespace

extern "C" __attribute__((visibility("default"))) const PenstockPlugin *penstock_plugin(void) {
  act("penstock_plugin", nullptr);
  static const PenstockPlugin plugin = {sizeof plugin,
                                        PENSTOCK_PLUGIN_ABI_MAJOR,
                                        PENSTOCK_PLUGIN_ABI_MINOR,
                                        KIND,
                                        QUOTED(NAME),
                                        "1.0.0",
                                        is("penstock_plugin.bad_table") ? reinterpret_cast<const void *>(24) : &functions};
  return &plugin;
}
