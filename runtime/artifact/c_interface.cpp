// The functions of the C interface. `penstock build` gives them the names of the artifact: `penstock_artifact_open` is `NAME_open`.
#include "runtime/artifact/artifact.h"
#include "runtime/artifact/c_layout.h"
#include "runtime/artifact/c_session.h"
#include "runtime/base/utf8.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <exception>
#include <new>

using namespace penstock;

namespace {

struct OpenModel {
  std::shared_ptr<const Artifact> artifact;
  CLayout layout;
};

struct OpenSession {
  std::unique_ptr<ThreadPool> pool;
  std::unique_ptr<Session> session;
  std::unique_ptr<CSession> answering;
};

struct Error {
  std::int32_t code;
  char text[1024];
};

int fail(Error *error, int code, std::string_view text) {
  if (error != nullptr) {
    error->code = code;
    std::size_t size = std::min(text.size(), sizeof error->text - 1);
    while (size < text.size() && size > 0 && continuesUtf8(text[size])) {
      --size;
    }
    std::memcpy(error->text, text.data(), size);
    error->text[size] = '\0';
  }
  return code;
}

/// No exception leaves the library.
template <typename Work> int contained(Error *error, Work &&work) {
  try {
    const Status status = work();
    return status.ok() ? fail(error, 0, "") : fail(error, exitCodeOf(status.code()), status.message());
  } catch (const std::bad_alloc &) {
    return fail(error, exitCodeOf(ErrorCode::environment), "there is not enough memory for this");
  } catch (const std::exception &) {
    return fail(error, exitCodeOf(ErrorCode::internal), "an unexpected failure");
  }
}

Status missing() { return usageError("the model or the session is NULL"); }

Status openModel(const char *folder, OpenModel **model) {
  auto made = std::make_unique<OpenModel>();
  PENSTOCK_ASSIGN(made->artifact, Artifact::open(folder == nullptr ? "" : folder));
  made->layout = made->artifact->layout();
  *model = made.release();
  return {};
}

Status openSession(const OpenModel &model, int threads, OpenSession **session) {
  auto made = std::make_unique<OpenSession>();
  PENSTOCK_ASSIGN(made->pool, ThreadPool::create(threads));
  PENSTOCK_ASSIGN(made->session, model.artifact->openSession(*made->pool));
  made->answering = std::make_unique<CSession>(model.artifact->predictor(), model.layout, *made->session);
  *session = made.release();
  return {};
}

} // namespace

extern "C" {

int penstock_artifact_open(const char *folder, OpenModel **model, Error *error) {
  return contained(error, [&] { return model == nullptr ? missing() : openModel(folder, model); });
}

void penstock_artifact_close(OpenModel *model) { delete model; }

int penstock_artifact_session_open(OpenModel *model, int threads, OpenSession **session, Error *error) {
  return contained(error, [&] { return model == nullptr || session == nullptr ? missing() : openSession(*model, threads, session); });
}

void penstock_artifact_session_close(OpenSession *session) { delete session; }

int penstock_artifact_predict(OpenSession *session, const void *records, std::size_t count, void *answers, Error *error) {
  return contained(error, [&] { return session == nullptr ? missing() : session->answering->predict(records, count, answers); });
}

const char *penstock_artifact_version(void) { return PENSTOCK_VERSION; }
}
