// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "commands.h"
#include "log.h"
#include "pins.h"
#include "plane.h"

int rsip_loader_detach(const struct rsip_loader_options *o)
{
	char unmount[RSIP_PINS_PATH_MAX] = "";
	int lock, err;

	if (o->pin_guessed)
		log_warn("the configuration does not tell the pin path: trying the default, %s", o->pin_path);
	lock = err = rsip_pins_lock(o->pin_path, NULL);
	if (lock >= 0) {
		err = rsip_plane_remove(o->pin_path, unmount);
		close(lock);
	}
	if (*unmount)
		rsip_pins_unmount(unmount);
	if (err == -ENOENT && o->pin_guessed)
		log_err("nothing is attached at %s, and the configuration does not tell where else (mend it, or name the "
			"folder: --pin-path DIR)",
			o->pin_path);
	else if (err == -ENOENT)
		log_info("nothing is attached at %s: nothing to do", o->pin_path);
	else if (!err)
		log_info("detached: %s is gone, and what attach changed is put back", o->pin_path);
	if (o->json) {
		cJSON *answer = cJSON_CreateObject();

		cJSON_AddStringToObject(answer, "pin_path", o->pin_path);
		cJSON_AddBoolToObject(answer, "attached", err && err != -ENOENT);
		rsip_loader_print(answer, true);
	}
	return err && (err != -ENOENT || o->pin_guessed) ? RSIP_EXIT_FAILED : RSIP_EXIT_DONE;
}
