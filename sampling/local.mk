include sampling/matrices.mk
include sampling/flow/flow.mk
include sampling/rescale/rescale.mk
include sampling/realize/realize.mk
include sampling/rewire/rewire.mk
include sampling/classical/classical.mk
