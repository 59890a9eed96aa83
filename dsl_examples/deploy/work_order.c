/* Answers each line of standard input with an artifact of dsl_examples/tasks/maintenance_words.pipe:
 *
 *   penstock build RUN --out artifact --name work_order
 *   cc -I artifact dsl_examples/deploy/work_order.c artifact/libwork_order.so -Wl,-rpath,$PWD/artifact -o answer
 *   ./answer < orders.txt
 */
#include "work_order.h"

#include <stdio.h>
#include <string.h>

int main(void) {
  work_order_error error;
  work_order_model *model = NULL;
  work_order_session *session = NULL;
  if (work_order_open(NULL, &model, &error) != 0 || work_order_session_open(model, 1, &session, &error) != 0) {
    fprintf(stderr, "%s\n", error.text);
    return error.code;
  }
  char line[4096];
  while (fgets(line, sizeof line, stdin) != NULL) {
    const work_order_record record = {.text = {line, strcspn(line, "\r\n")}};
    work_order_answer answer;
    if (work_order_predict(session, &record, 1, &answer, &error) != 0) {
      fprintf(stderr, "%s\n", error.text);
      return error.code;
    }
    if (answer.error != NULL) {
      printf("no answer: %s\n", answer.error);
    } else {
      printf("%s %.9g\n", answer.label_name, (double)answer.confidence);
    }
  }
  work_order_session_close(session);
  work_order_close(model);
  return 0;
}
