// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * One answer, two forms: the tree that scripts get as JSON is what people get as indented "name:
 * value".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "commands.h"

static void print_tree(const cJSON *tree, int depth);

static void indent(int depth)
{
	printf("%*s", 2 * depth, "");
}

static bool is_empty(const cJSON *item)
{
	return cJSON_IsNull(item) || (cJSON_IsString(item) && !*item->valuestring) ||
	       ((cJSON_IsArray(item) || cJSON_IsObject(item)) && !item->child);
}

/* pin_path -> pin path */
static void print_name(const char *name)
{
	for (; *name; name++)
		putchar(*name == '_' ? ' ' : *name);
}

static void print_value(const cJSON *item)
{
	if (cJSON_IsString(item))
		printf("%s\n", item->valuestring);
	else if (cJSON_IsBool(item))
		puts(cJSON_IsTrue(item) ? "yes" : "no");
	else
		printf("%.0f\n", item->valuedouble);
}

/*
 * An object in a list is headed by its name, if it has one; a list of plain values is one line
 * each.
 */
static void print_list(const cJSON *list, int depth)
{
	const cJSON *item;

	cJSON_ArrayForEach (item, list) {
		const cJSON *name = cJSON_GetObjectItemCaseSensitive(item, "name");

		indent(depth);
		if (!cJSON_IsObject(item)) {
			print_value(item);
			continue;
		}
		printf("%s\n", cJSON_IsString(name) ? name->valuestring : "-");
		print_tree(item, depth + 1);
	}
}

static void print_tree(const cJSON *tree, int depth)
{
	const cJSON *item;

	cJSON_ArrayForEach (item, tree) {
		if (is_empty(item) || (depth && !strcmp(item->string, "name")))
			continue;
		indent(depth);
		print_name(item->string);
		printf(":");
		if (cJSON_IsArray(item)) {
			putchar('\n');
			print_list(item, depth + 1);
		} else if (cJSON_IsObject(item)) {
			putchar('\n');
			print_tree(item, depth + 1);
		} else {
			putchar(' ');
			print_value(item);
		}
	}
}

void rsip_loader_print(cJSON *answer, bool json)
{
	char *text;

	if (!json) {
		print_tree(answer, 0);
	} else {
		text = cJSON_Print(answer);
		puts(text ? text : "{}");
		free(text);
	}
	cJSON_Delete(answer);
}
