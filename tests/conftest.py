"""Its place puts tests/ on the import path: `import cases`, `import reference`."""
