export const coverage = {
  title: 'Coverage',
};
