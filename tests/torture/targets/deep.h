/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Functions that are left in other ways than by return. Batch = rows; status = what step returned. */
#ifndef DEEP_H
#define DEEP_H

#include "torture.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef int deep_fn(struct model *model, int rows, step_fn *step, void *arg);

deep_fn deep_run;	 /* lets everything through */
deep_fn deep_catch;	 /* catches what step throws: -5 */
deep_fn deep_throw;	 /* throws itself unless step returns 0 */
deep_fn deep_rethrow;	 /* catches and throws on */
deep_fn deep_outer;	 /* of another group: calls deep_run, catches: 0 */
deep_fn deep_guard;	 /* something in its frame calls deep_run when it is destroyed */
deep_fn deep_self;	 /* calls itself as often as rows says, and step at the bottom */
int deep_cleanups(void); /* destructors that ran in frames of this library */

#ifdef __cplusplus
}
#endif

#endif
