/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Messages to the person at the terminal (stderr). Four levels; a message is one line, said once. */
#ifndef INFERMETER_LOG_H
#define INFERMETER_LOG_H

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Messages above this level are dropped. LOG_WARN at the start. */
void log__set_level(enum log_level level);
enum log_level log__level(void);

/* error, warn, info, debug → level. Returns 0, or -EINVAL for another word. */
int log__parse_level(const char *word, enum log_level *level);

void log__write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log__write(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log__write(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log__write(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log__write(LOG_DEBUG, __VA_ARGS__)

#endif
