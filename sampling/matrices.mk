libgraphattn_sources += sampling/matrices.h sampling/matrices.c sampling/matrices_classes.c \
	sampling/matrices_count.c sampling/matrices_jdm.c sampling/matrices_device.c sampling/matrices_check.c sampling/matrices_read.c \
	sampling/matrices_write.c sampling/sample.c sampling/sample_report.c
