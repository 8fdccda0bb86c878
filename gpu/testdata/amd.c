// amd FILE... compiles programs for a GPU of AMD that need not be there (Mesa's radv
// with RADV_FORCE_FAMILY), and prints what the compiler says of each: a line of the
// file's name and NAME=VALUE, parted by tabs. The files are SPIR-V for Vulkan, with
// storage buffers in set 0 and at most 144 bytes of push constants.
#include <stdio.h>
#include <stdlib.h>
#include <vulkan/vulkan.h>

#define MOST 16 // bindings

static void check(VkResult result, const char *what) {
	if (result == VK_SUCCESS)
		return;
	fprintf(stderr, "%s: Vulkan error %d\n", what, result);
	exit(1);
}

static uint32_t *contents(const char *path, size_t *size) {
	FILE *f = fopen(path, "rb");
	if (!f || fseek(f, 0, SEEK_END)) {
		perror(path);
		exit(1);
	}
	*size = ftell(f);
	rewind(f);
	uint32_t *words = malloc(*size);
	if (fread(words, 1, *size, f) != *size) {
		perror(path);
		exit(1);
	}
	fclose(f);
	return words;
}

static VkDevice open_device(void) {
	VkApplicationInfo app = {VK_STRUCTURE_TYPE_APPLICATION_INFO, .apiVersion = VK_API_VERSION_1_2};
	VkInstanceCreateInfo with = {VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO, .pApplicationInfo = &app};
	VkInstance instance;
	check(vkCreateInstance(&with, NULL, &instance), "open Vulkan");
	uint32_t count = 1;
	VkPhysicalDevice gpu;
	vkEnumeratePhysicalDevices(instance, &count, &gpu);
	if (count == 0) {
		fprintf(stderr, "no device\n");
		exit(1);
	}
	float priority = 1;
	VkDeviceQueueCreateInfo queue = {VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO, .queueCount = 1, .pQueuePriorities = &priority};
	const char *extension = VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME;
	VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR statistics = {
		VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR, .pipelineExecutableInfo = VK_TRUE};
	VkDeviceCreateInfo wanted = {VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO, .pNext = &statistics, .queueCreateInfoCount = 1,
		.pQueueCreateInfos = &queue, .enabledExtensionCount = 1, .ppEnabledExtensionNames = &extension};
	VkDevice device;
	check(vkCreateDevice(gpu, &wanted, NULL, &device), "open device");
	return device;
}

static VkPipelineLayout layout(VkDevice device) {
	VkDescriptorSetLayoutBinding bindings[MOST];
	for (int i = 0; i < MOST; i++)
		bindings[i] = (VkDescriptorSetLayoutBinding){i, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1, VK_SHADER_STAGE_COMPUTE_BIT};
	VkDescriptorSetLayoutCreateInfo buffers = {VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO, .bindingCount = MOST, .pBindings = bindings};
	VkDescriptorSetLayout set;
	check(vkCreateDescriptorSetLayout(device, &buffers, NULL, &set), "describe buffers");
	VkPushConstantRange numbers = {VK_SHADER_STAGE_COMPUTE_BIT, 0, 144};
	VkPipelineLayoutCreateInfo all = {VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO, .setLayoutCount = 1, .pSetLayouts = &set,
		.pushConstantRangeCount = 1, .pPushConstantRanges = &numbers};
	VkPipelineLayout result;
	check(vkCreatePipelineLayout(device, &all, NULL, &result), "describe a program");
	return result;
}

static VkPipeline compile(VkDevice device, VkPipelineLayout layout, const char *path) {
	VkShaderModuleCreateInfo code = {VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO};
	uint32_t *words = contents(path, &code.codeSize);
	code.pCode = words;
	VkShaderModule module;
	check(vkCreateShaderModule(device, &code, NULL, &module), path);
	VkComputePipelineCreateInfo wanted = {VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO, .layout = layout,
		.flags = VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR,
		.stage = {VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO, .stage = VK_SHADER_STAGE_COMPUTE_BIT, .module = module, .pName = "main"}};
	VkPipeline program;
	check(vkCreateComputePipelines(device, VK_NULL_HANDLE, 1, &wanted, NULL, &program), path);
	free(words);
	return program;
}

int main(int argc, char **argv) {
	VkDevice device = open_device();
	VkPipelineLayout all = layout(device);
	PFN_vkGetPipelineExecutableStatisticsKHR ask =
		(PFN_vkGetPipelineExecutableStatisticsKHR)vkGetDeviceProcAddr(device, "vkGetPipelineExecutableStatisticsKHR");
	for (int i = 1; i < argc; i++) {
		VkPipelineExecutableInfoKHR of = {VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR, .pipeline = compile(device, all, argv[i])};
		VkPipelineExecutableStatisticKHR found[64];
		for (int k = 0; k < 64; k++)
			found[k] = (VkPipelineExecutableStatisticKHR){VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR};
		uint32_t count = 64;
		check(ask(device, &of, &count, found), argv[i]);
		printf("%s", argv[i]);
		for (uint32_t k = 0; k < count; k++)
			printf("\t%s=%llu", found[k].name, (unsigned long long)found[k].value.u64);
		printf("\n");
	}
	return 0;
}
