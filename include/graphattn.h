/* graphattn.h - all public headers of libgraphattn. */
#ifndef GRAPHATTN_H
#define GRAPHATTN_H

#include <graphattn/base.h>
#include <graphattn/graph.h>
#include <graphattn/sampling.h>
#include <graphattn/tensor.h>

#endif
